"""Tries a login by a token for `relay account test`: it is refreshed, and what the issuer says is compared.

Guarantee: the issuer is asked once. Nothing of a token is told but whose it says that it is.
"""

import datetime as dt
import shlex
from collections.abc import Callable, Iterable
from typing import Final

from relay.accounts import words
from relay.accounts.issuer import Issuer
from relay.accounts.keeping import TokenKeeper
from relay.model.errors import CredentialError, SignInNeededError
from relay.model.oauth import Flow, OAuth, StoredLogin
from relay.model.reply import Reply
from relay.rules.answers.login_way import find_way, suit
from relay.rules.answers.reading import explain
from relay.rules.answers.row import Stage
from relay.rules.answers.token_rows import sign_in_command
from relay.rules.oauth_answers import Tokens
from relay.rules.oauth_claims import stranger
from relay.rules.oauth_ends import DAY, FORESEEN, ProofEnd, end_of_login, is_in_testing
from relay.rules.oauth_provider import scopes_of
from relay.upstream.course import Course, Step, Tell

ASKING: Final = "get a token"
"""The step at which the issuer is asked: where it refuses the app, that is true of all accounts of the app."""
_NEW_CERTIFICATE: Final = (
    "Make a new one before, upload it on the provider's page of the app, and put it and its key in the place of the old"
    " ones."
)
_NEW_CLIENT: Final = (
    "Make a new one on the provider's page of the app before, and give it here, with the day of its end:"
    ' "relay account edit {account} --client-secret --secret-expires DAY".'
)
_LATER: Final = "That is for now: try again in some minutes; until then the service goes on with the token that it has."


async def examine_login(
    oauth: OAuth, keeper: TokenKeeper, *, proofs_end: Iterable[ProofEnd], now: Callable[[], int], tell: Tell
) -> list[Step]:
    """Get a token, and compare what it is good for, for whom and until when. Returns a step for each.

    `proofs_end`: when client secret and certificate end; `tell` gets each step as it ends.
    """
    course = Course(tell, {})
    try:
        login = await keeper.find(oauth)
        if oauth.flow is not Flow.APP and login is not None and not login.ended:
            course.end("signed in", text=f"since {_show_day(login.begun_at)}")
        tokens = await keeper.renew(oauth)
    except CredentialError as error:
        advice = _advise(oauth, str(error)) or ("" if error.permanent else _LATER)
        name = "signed in" if isinstance(error, SignInNeededError) else ASKING
        return course.end(name, good=False, text=str(error), advice=advice, login_refused=error.permanent)
    host = Issuer(oauth, now=now).host
    course.end(ASKING, text=f"{host} gave one for {_show_life(tokens.life)}")
    _compare(course, oauth, tokens)
    _tell_end(course, oauth, await keeper.find(oauth), now())
    for at, is_certificate in proofs_end:
        left = (at - now()) // DAY
        near = left <= FORESEEN[0]
        what, advice = ("certificate", _NEW_CERTIFICATE) if is_certificate else ("client secret", _NEW_CLIENT)
        when = f"ends in {left} days" if left >= 0 else "has ended"
        text = f"the {what} {when}, on {_show_day(at)}"
        advice = advice.format(account=shlex.quote(oauth.account)) if near else ""
        course.end("days left", text=text, warns=near, advice=advice)
    return course.steps


def _compare(course: Course, oauth: OAuth, tokens: Tokens) -> None:
    """Compare what was granted with what is needed, and who has signed in with who was meant."""
    if tokens.scopes and (missing := missing_scopes(oauth, tokens)):
        advice = (
            f"Add {'it' if len(missing) == 1 else 'them'} to the permissions of the registration at the provider, let"
            f" an administrator approve where one must, then: {sign_in_command(oauth.account)}"
        )
        course.end("permissions", good=False, text=f"not granted: {' '.join(missing)}", advice=advice)
    elif tokens.scopes:
        course.end("permissions", text="all that the account needs are granted")
    if oauth.flow is Flow.APP or not tokens.names:
        return
    if (other := stranger(tokens.names, oauth.user)) is None:
        course.end("who it is", text=f"signed in as {oauth.user}")
    else:
        what, advice = say_stranger(oauth, other)
        course.end("who it is", text=what, advice=advice, warns=True)


def missing_scopes(oauth: OAuth, tokens: Tokens) -> list[str]:
    """Return what the account needs and the provider has not granted; an app's permissions are not told."""
    if not tokens.scopes or oauth.flow is Flow.APP:
        return []
    granted = {one.casefold() for one in tokens.scopes} | {"offline_access", "openid", "email", "profile"}
    return [one for one in scopes_of(oauth) if one.casefold() not in granted]


def say_stranger(oauth: OAuth, other: str, language: str = "en") -> tuple[str, str]:
    """Say that somebody else has signed in than who was meant, and what to do."""
    values = {"user": oauth.user, "other": other, "account": shlex.quote(oauth.account), "name": oauth.account}
    return words.STRANGER.by(language).format(**values), words.STRANGER_ADVICE.by(language).format(**values)


def _show_day(milliseconds: int) -> str:
    """Return the day of a moment, in UTC."""
    return f"{dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC):%Y-%m-%d}"


def _show_life(seconds: int) -> str:
    """Return a time as people read it."""
    return f"{seconds // 60} min" if seconds >= 120 else f"{seconds} s"


def say_testing(oauth: OAuth, life: int, language: str = "en") -> str:
    """Say that Google ends a login after some days, where it does; else nothing. `life`: in seconds, as it said."""
    if not is_in_testing(oauth, life):
        return ""
    return words.TESTING.by(language).format(account=shlex.quote(oauth.account))


def _tell_end(course: Course, oauth: OAuth, login: StoredLogin | None, now: int) -> None:
    """Tell when the sign-in ends by itself; of one that lives as long as it is used, nothing is to be told."""
    if login is None or not login.renewal_ends_at or (end := end_of_login(oauth, login)) is None:
        return
    text = f"the provider ends the sign-in in {max(0, end.at - now) // DAY} days, on {_show_day(end.at)}"
    testing = say_testing(oauth, (login.renewal_ends_at - login.renewal_at) // 1000)
    advice = testing or f"Sign in again before: {sign_in_command(oauth.account)}"
    near = bool(testing) or end.is_near(now)
    course.end("days left", text=text, warns=near, advice=advice if near else "")


def _advise(oauth: OAuth, text: str) -> str:
    account = shlex.quote(oauth.account)
    reason = explain(Reply(code=0, text=text), "en", account=account, stage=Stage.LOGIN)
    reason = suit(reason, find_way(oauth), "en", account=account)
    return "" if reason is None else str(reason)
