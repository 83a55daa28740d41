"""Leads somebody through the sign-in of an account, and stores what comes of it.

It needs no login that works: whatever was there before is replaced.
"""

import asyncio
import shlex
from collections.abc import Iterator

from relay.accounts import words
from relay.accounts.credentials import Credentials
from relay.accounts.examining import missing_scopes, say_stranger, say_testing
from relay.accounts.issuer import Issuer
from relay.accounts.keeping import TokenKeeper
from relay.accounts.sealing import Sealer
from relay.accounts.signing_in import Person, SignInError, sign_in
from relay.admin.room import Room
from relay.admin.words import unknown
from relay.clock import wall_clock
from relay.model.account import Account
from relay.model.errors import NotFoundError, StateConflictError
from relay.model.oauth import Flow, OAuth, Provider
from relay.rules.answers.login_way import find_way, suit
from relay.rules.answers.sign_in import explain_sign_in, find_sign_in_row
from relay.rules.oauth_answers import Tokens
from relay.rules.oauth_claims import stranger
from relay.rules.oauth_provider import consent_page
from relay.storage.engine import transaction
from relay.storage.pausing import fingerprint_key


def keep_credentials(room: Room, account: Account) -> Credentials:
    """Return an account's credentials, for a moment beside the service's own. Raises StorageError for a token's."""

    async def key() -> bytes:
        def read() -> bytes:
            with transaction(room.database, write=True) as tx:
                return fingerprint_key(tx)

        return await asyncio.to_thread(read)

    return Credentials(key, None if account.oauth is None else keep_tokens(room))


def authorize(room: Room, name: str, person: Person, *, trial: str = "") -> None:
    """Let a person sign in for an account, and say how that went. Raises RelayError.

    `trial`: the command that tries the account, where the person is to run it.
    The service, which is another process, takes the login up when it is asked to (`TakeUpLogin`).
    """
    account, language = _find(room, name), room.settings.language
    oauth, keeper = account.oauth, keep_tokens(room)
    assert oauth is not None
    room.database  # noqa: B018 - before somebody signs in: where there is none, it would be in vain
    if oauth.flow is not Flow.APP and (page := consent_page(oauth, redirect="http://localhost")) is not None:
        person.show(words.ASK_FIRST.by(language).format(page=page))
    tokens = asyncio.run(_sign_in(oauth, keeper, person, language))
    who = stranger(tokens.names, oauth.user) or oauth.user
    said = (words.BY_ITSELF if oauth.flow is Flow.APP else words.SIGNED_IN).by(language).format(account=name, who=who)
    person.show(words.TRY_IT.by(language).format(said=said, command=trial) if trial else said)


async def _sign_in(oauth: OAuth, keeper: TokenKeeper, person: Person, language: str) -> Tokens:
    try:
        tokens = await sign_in(oauth, Issuer(oauth, now=wall_clock), person, language=language)
    except SignInError as error:
        text = words.NOBODY.by(language).format(why=error)
        for line in _explain(error, oauth, language):
            person.show(line)
    else:
        await keeper.begin_login(oauth, tokens)
        for line in _remark(oauth, tokens, language):
            person.show(line)
        return tokens
    raise StateConflictError(text)


def _remark(oauth: OAuth, tokens: Tokens, language: str) -> Iterator[str]:
    """Say what the person should see to, though the login was stored."""
    if missing := missing_scopes(oauth, tokens):
        yield words.MISSING.by(language).format(scopes=" ".join(missing))
    if oauth.flow is not Flow.APP and (other := stranger(tokens.names, oauth.user)) is not None:
        what, advice = say_stranger(oauth, other, language)
        yield words.LOOK.by(language).format(what=what, advice=advice)
    if testing := say_testing(oauth, tokens.renewal_life, language):
        yield testing
    elif oauth.provider is Provider.GOOGLE and oauth.flow is Flow.BROWSER and not tokens.renewal_life:
        yield words.PERHAPS_TESTING.by(language)


def _explain(error: SignInError, oauth: OAuth, language: str) -> Iterator[str]:
    """Say what a refusal means and what to do, with the link for the administrator where one has to allow it."""
    if (refusal := error.refusal) is None:
        return
    account = shlex.quote(oauth.account)
    reason = explain_sign_in(refusal.error, language, account=account, description=refusal.text)
    if (reason := suit(reason, find_way(oauth), language, account=account)) is not None:
        yield str(reason)
    row = find_sign_in_row(refusal.error, refusal.text)
    page = consent_page(oauth, redirect="http://localhost")
    if page is not None and ((row is not None and row.needs_consent) or oauth.flow is Flow.APP):
        yield words.ALLOW.by(language).format(page=page)


def _find(room: Room, name: str) -> Account:
    directory = room.settings.directory
    account = directory.account(name)
    if account is None:
        raise NotFoundError(unknown("account", name, (one.name for one in directory.accounts)))
    if account.oauth is None:
        raise StateConflictError(
            f"account[{name}] has no [account.oauth], so there is nothing to sign in to: it logs in by its password"
        )
    return account


def keep_tokens(room: Room) -> TokenKeeper:
    """Return a keeper of logins, for a moment beside the service's own. Raises StorageError."""
    return TokenKeeper(room.database, Sealer(room.settings.folder), now=wall_clock)
