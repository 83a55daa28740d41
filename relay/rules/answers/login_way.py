"""By what an account logs in, and so which command mends a login that is refused."""

from enum import StrEnum
from typing import Final

from relay.model.oauth import Flow, OAuth
from relay.rules.answers.row import SIGN_IN_AGAIN_DE, SIGN_IN_AGAIN_EN, Explanation
from relay.rules.answers.token_rows import SIGN_IN


class LoginWay(StrEnum):
    """What an account proves itself by."""

    PASSWORD = "password"  # noqa: S105 - a word
    PERSON = "person"
    """A person signs in now and then."""
    SECRET = "secret"  # noqa: S105 - a word
    """Nobody signs in: an app proves itself by its client secret."""
    KEY = "key"
    """The same, by a key or certificate."""

    @property
    def is_app(self) -> bool:
        """Whether nobody can sign in."""
        return self in (LoginWay.SECRET, LoginWay.KEY)


def find_way(oauth: OAuth | None) -> LoginWay:
    """Return by what an account with this login proves itself; `oauth`: None where it has a password."""
    if oauth is None:
        return LoginWay.PASSWORD
    if oauth.flow is not Flow.APP:
        return LoginWay.PERSON
    return LoginWay.SECRET if oauth.private_key is None else LoginWay.KEY


_APP_EN: Final = (
    "Nobody signs in for this account, its app does: see on the provider's page of the app whether it still has its"
    " permissions, also for this mailbox. "
)
_APP_DE: Final = (
    "Für dieses Konto meldet sich niemand an, sondern seine App: Prüfen Sie auf der Seite des Anbieters zur App, ob sie"
    " ihre Berechtigungen noch hat, auch für dieses Postfach. "
)
_ADVICE: Final = {
    ("en", LoginWay.PASSWORD): 'Enter the right password: "relay account edit {account} --{option}password" asks for'
    ' it, and nothing more is needed. "--{user}-username NAME" behind it sets another user name.',
    ("de", LoginWay.PASSWORD): "Geben Sie das richtige Passwort ein: „relay account edit {account} --{option}password“"
    " fragt danach, und mehr ist nicht nötig. Einen anderen Benutzernamen setzt „--{user}-username NAME“ dahinter.",
    ("en", LoginWay.PERSON): SIGN_IN_AGAIN_EN,
    ("de", LoginWay.PERSON): SIGN_IN_AGAIN_DE,
    ("en", LoginWay.SECRET): f'{_APP_EN}Another client secret: "relay account edit {{account}} --client-secret".',
    ("de", LoginWay.SECRET): f"{_APP_DE}Ein anderes Clientgeheimnis: „relay account edit {{account}} --client-secret“.",
    ("en", LoginWay.KEY): f'{_APP_EN}Another key: "relay account edit {{account}} --private-key FILE" (and'
    ' "--certificate FILE", where there is one).',
    ("de", LoginWay.KEY): f"{_APP_DE}Ein anderer Schlüssel: „relay account edit {{account}} --private-key DATEI“ (und"
    " „--certificate DATEI“, wo es eines gibt).",
}
_REFUSED: Final = {"en": "The provider refuses the account's app.", "de": "Der Anbieter weist die App des Kontos ab."}


def advise_way(way: LoginWay, language: str, *, account: str, collects: bool = False) -> str:
    """Say in `de` or `en` what mends a login that is refused. `account`: its name, as a shell wants it.

    `collects`: it is the mailbox's login.
    """
    option, user = ("pop3-", "pop3") if collects else ("", "smtp")
    return _ADVICE[language, way].format(account=account, option=option, user=user)


def suit(words: Explanation | None, way: LoginWay, language: str, *, account: str) -> Explanation | None:
    """Return what an answer means with an advice that this account can follow: where nobody signs in, nobody is to."""
    if words is None:
        return None
    asks_password = way is not LoginWay.PASSWORD and "--password" in words.advice
    asks_person = way.is_app and SIGN_IN in words.advice
    if not (asks_password or asks_person):
        return words
    again = SIGN_IN_AGAIN_DE if language == "de" else SIGN_IN_AGAIN_EN
    says_no_more = words.advice == again.replace("{account}", account)
    what = _REFUSED[language] if asks_person and says_no_more else words.what
    return Explanation(what=what, advice=advise_way(way, language, account=account))
