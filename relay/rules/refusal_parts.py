"""Parts of refusals, and what may be wrong with an address, in English and in German; `refusal_texts` has the whole."""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple


class Words(NamedTuple):
    """A sentence in both languages."""

    english: str
    german: str


class Part(Enum):
    """Parts of the sentences that refuse something."""

    ADD_TO_USERS = Words(
        "{who} may not use the account {account}: only its owner and its users may; let the administrator add {who}"
        " to its users",
        "{who} darf das Konto {account} nicht benutzen: Das dürfen nur sein Besitzer und seine Benutzer. Wer den"
        " Maildienst betreut, kann {who} dort eintragen",
    )
    LOG_IN = Words(
        "log in, or let the administrator add a device for {ip}",
        "Melden Sie sich im Mailprogramm mit Name und Passwort an, oder bitten Sie die Person, die den"
        " Maildienst betreut, das Gerät {ip} einzutragen",
    )
    NO_SENDER = Words("there is no {where} address", "eine Absenderadresse fehlt")
    RECIPIENT = Words("The recipient's address", "Die Adresse des Empfängers")
    SENDER = Words("The sender's address", "Die Adresse des Absenders")
    STRANGER = Words("an unknown client", "Wer unbekannt ist,")
    THE_EXCLUDED = Words(
        "the account {account} is excluded from the service", "Das Konto {account} ist vom Maildienst ausgenommen"
    )
    UNKNOWN_SENDER = Words("{address} is no account's address", "{address} gehört zu keinem Konto")
    WITHOUT_LOGIN = Words(
        "{who} may not use the account {account} without a login: {advice}",
        "{who} darf das Konto {account} nicht ohne Anmeldung benutzen. {advice}",
    )
    WITHOUT_PROOF = Words(
        "{who} may not use the account {account}: only its owner and its users may, by a login or a device: {advice}",
        "{who} darf das Konto {account} nicht benutzen: Das dürfen nur sein Besitzer und seine Benutzer, mit"
        " Anmeldung oder Gerät. {advice}",
    )


ADDRESS_FAULTS: Final[Mapping[str, str]] = {
    "is longer than any address": "ist länger als jede gültige Adresse",
    "is longer than any": "ist länger als jede gültige Adresse",
    "has a control character": "enthält ein unsichtbares Steuerzeichen",
    "is not of the form name@domain": "hat nicht die Form name@beispiel.de",
    "has characters before the @ that need quotes": "enthält vor dem @ ein Zeichen, das dort nicht stehen darf",
    "must have 1 to 64 octets before the @": "muss vor dem @ 1 bis 64 Zeichen haben",
    "has a bad address literal": "hat hinter dem @ eine falsche Zahlenadresse",
    "has a domain that IDNA does not allow": "enthält hinter dem @ ein Zeichen, das dort nicht stehen darf",
    "has a bad domain": "ist hinter dem @ falsch geschrieben",
}
"""In German, by what `parse_addr_spec` and the reader of paths say in English."""
OTHER_FAULT: Final = "ist ungültig"
