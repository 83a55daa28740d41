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
_NOBODY: Final = "nobody has signed in yet"
"""How it begins where there is no login at all."""
_FIRST: Final = Row(
    name="first_sign_in",
    about=About.LOGIN,
    stages=frozenset({Stage.LOGIN}),
    english=say(
        "Nobody has signed in for the account yet.", f'Sign in with "{SIGN_IN} {{account}}"; it goes on by itself then.'
    ),
    german=say(
        "Für das Konto hat sich noch niemand angemeldet.",
        f"Melden Sie es mit „{SIGN_IN} {{account}}“ an; dann geht es von selbst weiter.",
    ),
)
_SIGN_IN: Final = Row(
    name="sign_in",
    about=About.LOGIN,
    stages=frozenset({Stage.LOGIN}),
    english=say(
        "The account needs a person to sign in: what was kept of the last time is over or lost.",
        SIGN_IN_AGAIN_EN,
    ),
    german=say(
        "Für das Konto muss sich jemand anmelden: Was vom letzten Mal gespeichert war, gilt nicht mehr oder ist"
        " verloren.",
        SIGN_IN_AGAIN_DE,
    ),
)


def sign_in_command(account: str) -> str:
    """Return the command by which somebody signs in for an account."""
    return f"{SIGN_IN} {shlex.quote(account)}"


def nobody_signed_in(account: str) -> str:
    """Say that an account has no login at all, and by which command somebody signs in."""
    return f"{_NOBODY}: {sign_in_command(account)}"


def is_ours(text: str) -> bool:
    """Return whether we say it ourselves, as an account has nothing to log in with; no server was asked then."""
    return text.startswith(f"{NO_TOKEN}: ") or SIGN_IN in text or _OF_FILE.search(text) is not None


def quotes_issuer(text: str) -> bool:
    """Return whether what we say holds the issuer's own words, which no explanation replaces."""
    return _OF_ISSUER.search(text) is not None


def says_of_token(text: str) -> Row | None:
    """Find the row of what the keeper of tokens says; None where it is not of tokens."""
    if (gone := _OF_FILE.search(text)) is not None:
        return _GONE[gone[1]]
    if NO_TOKEN not in text and SIGN_IN not in text:
        return None
    if text.startswith(_NOBODY):
        return _FIRST
    if (found := _OF_ISSUER.search(text)) is not None:
        from relay.rules.answers.sign_in import find_sign_in_row  # noqa: PLC0415 - long tables, and few accounts need it

        if (row := find_sign_in_row(found[1] or found[2], text)) is not None:
            return row
    return _SIGN_IN if SIGN_IN in text else None
