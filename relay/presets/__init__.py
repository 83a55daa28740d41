"""The known providers: what `preset = "ionos"` fills in (`preset`), and how one is found for an address (`finding`).

Below the configuration, which reads the one; `relay account add`, `relay init` and the account doctor ask the other.
"""
