"""What we say ourselves where an account has nothing to log in with, and the issuer's answer within it.

The keeper of tokens (`relay/accounts/keeping.py`) says so in one short English line, as what fails on the way to a
server is: it is recognised again in what is stored, and told in both languages.
"""

import re
import shlex
from typing import Final

from relay.rules.answers.row import SIGN_IN_AGAIN_DE, SIGN_IN_AGAIN_EN, About, Row, Stage, say

NO_TOKEN: Final = "no token"  # noqa: S105 - the words of a message
"""How it begins where the issuer gives none."""
SIGN_IN: Final = "relay account authorize"
"""What it holds where somebody must sign in."""
_OF_ISSUER: Final = re.compile(rf"{NO_TOKEN}: \S+ refuses: ([a-z0-9_.-]+)|{SIGN_IN} [^(]*\(([a-z0-9_.-]+)")
_OF_FILE: Final = re.compile(r"\b(password|client_secret)_file [^\n]*: can't be read: No such file or directory")
_GONE: Final = {
    key: Row(
        name=f"{key}_gone",
        about=About.LOGIN,
        stages=frozenset({Stage.LOGIN}),
        english=say(
            f"The file that holds the account's {english} is not there, as after a restore without secrets.",
            f'Give it anew: "relay account edit {{account}} {option}".',
        ),
        german=say(
            f"Die Datei mit dem {german} des Kontos ist nicht da, etwa nach einer Wiederherstellung ohne Geheimnisse.",
            f"Geben Sie es neu ein: „relay account edit {{account}} {option}“.",
        ),
    )
    for key, english, german, option in (
        ("password", "password", "Passwort", "--password"),
        ("client_secret", "client secret", "Clientgeheimnis", "--client-secret"),
    )
}
"""What is said where a file that holds a secret is gone (`relay/settings/secrets.py`)."""
_SIGN_IN: Final = Row(
    name="sign_in",
    about=About.LOGIN,
    stages=frozenset({Stage.LOGIN}),
    english=say(
        "The account needs a person to sign in: nobody has done so yet, or what was kept of it is over or lost.",
        SIGN_IN_AGAIN_EN,
    ),
    german=say(
        "Für das Konto muss sich jemand anmelden: Das hat noch niemand getan, oder was davon gespeichert war, gilt"
        " nicht mehr oder ist verloren.",
        SIGN_IN_AGAIN_DE,
    ),
)


def sign_in_command(account: str) -> str:
    """Return the command by which somebody signs in for an account."""
    return f"{SIGN_IN} {shlex.quote(account)}"


def says_of_token(text: str) -> Row | None:
    """Find the row of what the keeper of tokens says; None where it is not of tokens."""
    if (gone := _OF_FILE.search(text)) is not None:
        return _GONE[gone[1]]
    if NO_TOKEN not in text and SIGN_IN not in text:
        return None
    if (found := _OF_ISSUER.search(text)) is not None:
        from relay.rules.answers.sign_in import find_sign_in_row  # noqa: PLC0415 - long tables, and few accounts need it

        if (row := find_sign_in_row(found[1] or found[2], text)) is not None:
            return row
    return _SIGN_IN if SIGN_IN in text else None
