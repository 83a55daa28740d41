"""Who runs a command, for the records: before it becomes the owner of the storage folder."""

import os
import pwd

from relay.escaping import printable

_LONGEST = 64
"""Characters."""


def who_asks() -> str:
    """Name who has called sudo, else the user of this process.

    Whoever is root may call himself what he likes; nobody else's word is taken.
    """
    name = os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = f"uid {os.getuid()}"
    return printable(name)[:_LONGEST]
