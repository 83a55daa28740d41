"""Examples of the required keys of the configuration, shown if one is missing."""

from collections.abc import Mapping

from relay.settings.errors import Place

_USER = 'name = "anna" and address = "anna@example.com"'

EXAMPLES: Mapping[Place, str] = {
    ("server",): '[server] with hostname = "relay.office.example" and postmaster = "anna" (one of the users)',
    ("server", "hostname"): 'hostname = "relay.office.example", the name of this machine',
    ("server", "postmaster"): 'postmaster = "anna", the user who gets alerts',
    ("user",): f"a [[user]] for each person, with {_USER}",
    ("user", "name"): 'name = "anna", the login and the name of the inbox',
    ("user", "address"): 'address = "anna@example.com"',
    ("device", "name"): 'name = "Scanner 2nd floor"',
    ("device", "networks"): 'networks = ["192.168.1.40"], the addresses of the device',
    ("device", "user"): 'user = "anna", for whom the device sends',
    ("account", "name"): 'name = "sales", what commands and the log call it',
    ("account", "address"): 'address = "sales@example.com", what the account sends as',
    ("account", "owner"): 'owner = "anna", the user whose it is',
    ("account", "smtp", "host"): 'host = "smtp.provider.example"',
    ("account", "pop3", "host"): 'host = "pop.provider.example"',
    ("account", "pop3", "username"): 'username = "sales@example.com"',
    ("backup", "folder"): 'folder = "/mnt/backup/relay"',
}
"""By place, without the positions in lists."""


def describe_missing(place: Place) -> str:
    """Return that something is missing, and an example of it."""
    example = EXAMPLES.get(tuple(key for key in place if isinstance(key, str)))
    return "missing" if example is None else f"missing: add {example}"
