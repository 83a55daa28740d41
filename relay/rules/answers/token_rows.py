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
_LONGEST: Final = 1000
"""Characters that are looked at: what we say ourselves is short."""
_MISSING: Final = re.compile(
    r"\b(password|client_secret)(?:_(file) [^\n]*: can't be read: No such file or directory|_(env) \S+: is not set"
    r"|(?:_command)?: is (empty) in the configuration)"
)
"""What `relay/settings/secrets.py` says of a secret that is missing."""
PAUSED: Final = "the account is paused"
"""How it begins where a pause stops a mail; the pause's reason follows."""
_PAUSED: Final = re.compile(rf"\A{PAUSED}: (?:[2-5][0-9]{{2}} )?(?:[245]\.[0-9]{{1,3}}\.[0-9]{{1,3}} )?")
_KEY_GONE: Final = re.compile(r"\b(?:certificate|private_key) [^\n]*: can't be read: No such file or directory")
_HOW: Final = {
    "file": (
        "The file that holds the account's {secret} is not there, as after a restore without secrets.",
        "Die Datei mit dem {secret} des Kontos ist nicht da, etwa nach einer Wiederherstellung ohne Geheimnisse.",
    ),
    "env": (
        "The environment variable that holds the account's {secret} is not set.",
        "Die Umgebungsvariable mit dem {secret} des Kontos ist nicht gesetzt.",
    ),
    "empty": (
        "The account's {secret} is empty in relay.toml, as after a restore without secrets.",
        "In relay.toml fehlt das {secret} des Kontos, etwa nach einer Wiederherstellung ohne Geheimnisse.",
    ),
}
_SECRETS: Final = {
    "password": ("password", "Passwort", "--password"),
    "client_secret": ("client secret", "Clientgeheimnis", "--client-secret"),
}
_WHERE_EN: Final = (
    "Set it: the service reads it from /etc/relay/environment, a command from its own shell. Or give the secret anew:"
)
_WHERE_DE: Final = (
    "Setzen Sie sie: Der Dienst liest sie aus /etc/relay/environment, ein Befehl aus der Shell, in der er läuft. Oder"
    " geben Sie das Geheimnis neu ein:"
)
_NO_SECRET: Final = {
    (key, how): Row(
        name=f"{key}_{how}",
        about=About.LOGIN,
        stages=frozenset({Stage.LOGIN}),
        english=say(
            in_english.format(secret=english),
            f'{_WHERE_EN if how == "env" else "Give it anew:"} "relay account edit {{account}} {option}".',
        ),
        german=say(
            in_german.format(secret=german),
            f"{_WHERE_DE if how == 'env' else 'Geben Sie es neu ein:'} „relay account edit {{account}} {option}“.",
        ),
    )
    for key, (english, german, option) in _SECRETS.items()
    for how, (in_english, in_german) in _HOW.items()
}
_NO_KEY: Final = Row(
    name="key_file",
    about=About.LOGIN,
    stages=frozenset({Stage.LOGIN}),
    english=say(
        "The file of the key or certificate by which the account proves itself is not there, as after a restore without"
        " secrets.",
        'Put it there again, or name another one: "relay account edit {account} --private-key FILE" (and'
        ' "--certificate FILE", where there is one).',
    ),
    german=say(
        "Die Datei mit dem Schlüssel oder Zertifikat, mit dem sich das Konto ausweist, ist nicht da, etwa nach einer"
        " Wiederherstellung ohne Geheimnisse.",
        "Legen Sie sie wieder dorthin, oder nennen Sie eine andere: „relay account edit {account} --private-key DATEI“"
        " (und „--certificate DATEI“, wo es eines gibt).",
    ),
)
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


TOKEN_ROWS: Final = (_FIRST, _SIGN_IN, *_NO_SECRET.values(), _NO_KEY)
"""What we say ourselves, for the page that lists all causes."""


def sign_in_command(account: str) -> str:
    """Return the command by which somebody signs in for an account."""
    return f"{SIGN_IN} {shlex.quote(account)}"


def nobody_signed_in(account: str) -> str:
    """Say that an account has no login at all, and by which command somebody signs in."""
    return f"{_NOBODY}: {sign_in_command(account)}"


def is_ours(text: str) -> bool:
    """Return whether we say it ourselves, as an account has nothing to log in with; no server was asked then."""
    text = _without_pause(text)
    return text.startswith(f"{NO_TOKEN}: ") or SIGN_IN in text or _find_missing(text) is not None


def quotes_issuer(text: str) -> bool:
    """Return whether what we say holds the issuer's own words, which no explanation replaces."""
    return _OF_ISSUER.search(text[:_LONGEST]) is not None


def quote_own(text: str, language: str) -> str:
    """Return what is quoted, in `de` or `en`, of what we say ourselves (`is_ours`): empty where a row says it all."""
    return text if language == "en" or quotes_issuer(text) else ""


def says_of_token(text: str) -> Row | None:
    """Find the row of what the keeper of tokens says; None where it is not of tokens."""
    if (missing := _find_missing(text)) is not None:
        return missing
    if NO_TOKEN not in text and SIGN_IN not in text:
        return None
    if _without_pause(text).startswith(_NOBODY):
        return _FIRST
    if (found := _OF_ISSUER.search(text[:_LONGEST])) is not None:
        from relay.rules.answers.sign_in import find_sign_in_row  # noqa: PLC0415 - long tables, and few accounts need it

        if (row := find_sign_in_row(found[1] or found[2], text)) is not None:
            return row
    return _SIGN_IN if SIGN_IN in text else None


def _without_pause(text: str) -> str:
    """Return why an account is paused, of what is said of a mail that the pause stops, without the codes."""
    return _PAUSED.sub("", text, count=1)


def _find_missing(text: str) -> Row | None:
    text = text[:_LONGEST]
    if (found := _MISSING.search(text)) is not None:
        return _NO_SECRET[found[1], found[2] or found[3] or found[4]]
    return _NO_KEY if _KEY_GONE.search(text) is not None else None
