"""Keeps the tokens of the accounts' logins: gives the one that holds, and refreshes it before it ends.

Guarantee: one refresh of a login runs at a time, over all nodes of the database. A new refresh token is on the disk
before anything of its answer is used. Only the issuer's own word ends a login: a fault of the network, of the issuer
or of the database never does, and what is at hand is used for as long as it holds.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Concatenate, Final, ParamSpec, TypeVar

from relay.accounts.content import Content, pack, unpack
from relay.accounts.issuer import Issuer, refused
from relay.accounts.lifetimes import Lifetimes
from relay.accounts.sealing import Sealer
from relay.model.errors import CredentialError, SignInNeededError, StorageError
from relay.model.oauth import Flow, OAuth, StoredLogin
from relay.rules.answers.token_rows import nobody_signed_in, sign_in_command
from relay.rules.oauth_answers import Meaning, Refusal, Tokens, refresh_margin
from relay.rules.oauth_ends import remark_on_end, renewed
from relay.rules.oauth_provider import binding_of
from relay.storage.engine import Database
from relay.storage.logins import (
    acquire_login,
    add_login,
    begin_login,
    find_login,
    forget_unused,
    release_login,
    release_logins,
    store_login,
)
from relay.upstream.posting import Post, post_form

P = ParamSpec("P")
T = TypeVar("T")

_PATIENCE: Final = 45.0
"""Seconds for a refresh, with what another one before it takes; a lease is longer."""
_LOOK: Final = 0.1
"""Seconds between two looks whether another's refresh is done."""
_YOUNG: Final = 100
"""Milliseconds, for each second of the time before its end in which a token is refreshed: if one as young as that is
refused, another one would be, too. A minute of an hour."""
_LONGEST_REST: Final = 10.0
"""Seconds after a refresh that came to nothing in which the token at hand is used without another one."""


class TokenKeeper:
    """Keeps the logins of one database. May be used by several event loops of a process at once."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        *,
        node: str = "",
        post: Post = post_form,
        now: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`node`: its name, whose leases end when it begins anew; a command has none. `now`: milliseconds, UTC."""
        self._database, self._sealer, self._node = database, sealer, node
        self._post, self._now, self._monotonic = post, now, monotonic
        self._lifetimes = Lifetimes(now, monotonic)
        self._refreshing: dict[tuple[int, str, bool], asyncio.Task[Tokens]] = {}
        """By event loop, account, and whether a token that holds for a while is not enough."""
        self._opened: dict[str, tuple[str, Content]] = {}
        """By account: what was sealed, and what it holds."""
        self._rests: dict[str, float] = {}
        """By account: until when, by the monotonic clock, no refresh is tried that is not needed yet."""
        self._unsaved: dict[str, tuple[StoredLogin, str]] = {}
        """By account: what an issuer gave and the database has not taken, and the lease that it came under."""

    def begin(self) -> None:
        """Note that the node begins anew: its refreshes of before are dead. Blocks. Raises StorageError."""
        release_logins(self._database, self._node)

    async def find(self, oauth: OAuth) -> StoredLogin | None:
        """Return what is stored of an account's login; None where there is none for it. Raises CredentialError."""
        found = await self._stored(find_login, oauth.account)
        return None if found is None or found.binding != binding_of(oauth) else found

    async def token(self, oauth: OAuth) -> str:
        """Return an access token that holds for a while. Raises CredentialError, which says what a person can do."""
        login = await self.find(oauth)
        self._require(oauth, login)
        if login is None or not login.sealed:
            return (await self._refresh(oauth)).access
        if self._is_fresh(login) or (self._holds(login) and self._rests.get(oauth.account, 0) > self._monotonic()):
            try:
                return (await self._open(oauth, login)).access
            except CredentialError:  # as after a restore without the key: an app needs nobody for another token
                if oauth.flow is not Flow.APP:
                    raise
            return (await self._refresh(oauth, anyway=True)).access
        try:
            return (await self._refresh(oauth)).access
        except CredentialError:
            rest = min(_LONGEST_REST, refresh_margin(_life(login)) / 4)
            self._rests[oauth.account] = self._monotonic() + rest
            again = await self.find(oauth)
            if again is None or again.ended or not self._holds(again):
                raise
            return (await self._open(oauth, again)).access

    async def token_after(self, oauth: OAuth, refused: str) -> str | None:
        """Return another token than one that a server has refused; None where that one has only just come.

        Raises CredentialError, where the issuer gives none: then it is known why the server refuses.
        """
        login = await self.find(oauth)
        if login is not None and login.sealed:
            at_hand = (await self._open(oauth, login)).access
            if at_hand != refused:
                return at_hand
            if 0 <= self._now() - login.got_at < refresh_margin(_life(login)) * _YOUNG:
                return None
        return (await self.renew(oauth)).access

    async def renew(self, oauth: OAuth) -> Tokens:
        """Refresh a login now, to see what the issuer says. Raises CredentialError."""
        self._require(oauth, await self.find(oauth))
        return await self._refresh(oauth, anyway=True)

    async def begin_login(self, oauth: OAuth, tokens: Tokens) -> None:
        """Store what somebody has just signed in for, in place of what was there. Raises CredentialError."""
        now = self._now()
        login = StoredLogin(
            account=oauth.account,
            binding=binding_of(oauth),
            sealed=await self._seal(oauth, tokens.access, tokens.refresh),
            begun_at=now,
            got_at=now,
            ends_at=now + tokens.life * 1000,
            renewal_at=now if tokens.renewal_life else 0,
            renewal_ends_at=now + tokens.renewal_life * 1000 if tokens.renewal_life else 0,
        )
        self._unsaved.pop(oauth.account, None)
        await self._stored(begin_login, login)

    async def forget_unused(self, used: Collection[str], *, rested: int) -> None:
        """Delete what is kept for other accounts and has rested for so many milliseconds. Raises CredentialError."""
        await self._stored(forget_unused, used=used, before=self._now() - rested)

    async def close(self) -> None:
        """Wait for the refreshes of this event loop that run: what an issuer gives must not be lost."""
        loop = id(asyncio.get_running_loop())
        running = [task for (of, *_), task in self._refreshing.items() if of == loop]
        if running:
            await asyncio.wait(running)

    def _require(self, oauth: OAuth, login: StoredLogin | None) -> None:
        """Raise CredentialError where only a person can help, since nobody has signed in, or the login is over."""
        if oauth.flow is Flow.APP:
            return
        if login is None:
            raise _nobody(oauth)
        if login.ended:
            raise SignInNeededError(f"the login is over: {sign_in_command(oauth.account)} ({login.ended})")

    def _is_fresh(self, login: StoredLogin) -> bool:
        return self._lifetimes.left(login) > refresh_margin(_life(login)) * 1000

    def _holds(self, login: StoredLogin) -> bool:
        return bool(login.sealed) and self._lifetimes.left(login) > 0

    async def _refresh(self, oauth: OAuth, *, anyway: bool = False) -> Tokens:
        """Refresh a login, or wait for who does so already. One that has begun goes on, whoever has asked for it."""
        key = id(asyncio.get_running_loop()), oauth.account, anyway
        task = self._refreshing.get(key)
        if task is None:
            work = self._run(oauth, anyway=anyway)
            task = self._refreshing[key] = asyncio.create_task(work, name=f"refresh {oauth.account}")
            task.add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(task)

    def _end(self, key: tuple[int, str, bool], task: "asyncio.Task[Tokens]") -> None:
        del self._refreshing[key]
        if not task.cancelled():
            task.exception()  # seen, though nobody may wait for it any more

    async def _run(self, oauth: OAuth, *, anyway: bool) -> Tokens:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._save(oauth.account)
                return await self._take_turn(oauth, anyway=anyway)
        except TimeoutError:
            reason = f"the login was not refreshed within {_PATIENCE:.0f} s"
        raise CredentialError(reason)

    async def _take_turn(self, oauth: OAuth, *, anyway: bool) -> Tokens:
        """Wait until nobody else refreshes the login, and do so unless another has done it, or `anyway`."""
        lease, binding = secrets.token_hex(16), binding_of(oauth)
        if oauth.flow is Flow.APP:
            first = StoredLogin(account=oauth.account, binding=binding, begun_at=self._now())
            await self._stored(add_login, first)
        how = {"node": self._node, "token": lease}
        while (held := await self._stored(acquire_login, oauth.account, binding, **how, now=self._now())) is None:
            login = await self.find(oauth)
            self._require(oauth, login)
            if not anyway and login is not None and login.sealed and self._is_fresh(login):
                return await self._at_hand(oauth, login)
            await asyncio.sleep(_LOOK)
        try:
            self._require(oauth, held)
            if not anyway and held.sealed and self._is_fresh(held):
                return await self._at_hand(oauth, held)
            return await self._ask(oauth, held, lease)
        finally:
            if oauth.account not in self._unsaved:
                with contextlib.suppress(StorageError):
                    await asyncio.to_thread(release_login, self._database, oauth.account, token=lease)

    async def _at_hand(self, oauth: OAuth, login: StoredLogin) -> Tokens:
        content = await self._open(oauth, login)
        return Tokens(access=content.access, life=self._lifetimes.left(login) // 1000)

    async def _ask(self, oauth: OAuth, held: StoredLogin, lease: str) -> Tokens:
        """Ask the issuer, and store what it says before any of it is used."""
        issuer, old = Issuer(oauth, post=self._post, now=self._now), None
        if oauth.flow is Flow.APP:
            answer = await issuer.as_app()
        else:
            old = (await self._open(oauth, held)).refresh
            if old is None:
                command = sign_in_command(oauth.account)
                raise SignInNeededError(f"the issuer gave nothing to refresh by: {command}")
            answer = await issuer.refresh(old)
        if isinstance(answer, Refusal):
            if answer.meaning is Meaning.ENDED and oauth.flow is not Flow.APP:
                over = replace(held, ended=f"{answer}{remark_on_end(oauth, held, self._now())}")
                await self._stored(store_login, over, token=lease)
                self._require(oauth, over)
            raise refused(issuer.host, answer)
        now = self._now()
        sealed = await self._seal(oauth, answer.access, answer.refresh or old)
        is_new = answer.refresh not in (None, old)
        since, until = renewed(held, life=answer.renewal_life, is_new=is_new, now=now)
        got = replace(
            held,
            sealed=sealed,
            got_at=now,
            ends_at=now + answer.life * 1000,
            renewal_at=since,
            renewal_ends_at=until,
        )
        self._unsaved[oauth.account] = got, lease
        await self._save(oauth.account)
        return answer

    async def _save(self, account: str) -> None:
        """Store what an issuer gave; where the database does not take it, it is kept for the next time."""
        if account in self._unsaved:
            login, lease = self._unsaved[account]
            is_stored = await self._stored(store_login, login, token=lease)
            del self._unsaved[account]
            if not is_stored:
                raise CredentialError("somebody has signed in anew, or another node has refreshed the login meanwhile")

    async def _open(self, oauth: OAuth, login: StoredLogin) -> Content:
        known = self._opened.get(login.account)
        if known is None or known[0] != login.sealed:
            known = login.sealed, await asyncio.to_thread(self._unseal, oauth, login.sealed)
            self._opened[login.account] = known
        content = known[1]
        if (content.account, content.binding) != (oauth.account, binding_of(oauth)):  # another's, moved here
            raise _nobody(oauth)
        return content

    async def _seal(self, oauth: OAuth, access: str, refresh: str | None) -> str:
        content = Content(account=oauth.account, binding=binding_of(oauth), access=access, refresh=refresh)
        return await asyncio.to_thread(self._sealer.seal, pack(content))

    def _unseal(self, oauth: OAuth, sealed: str) -> Content:
        try:
            return unpack(self._sealer.open(sealed))
        except CredentialError as error:
            reason, permanent = f"{error}: {sign_in_command(oauth.account)}", error.permanent
        raise SignInNeededError(reason) if permanent else CredentialError(reason)

    async def _stored(self, work: Callable[Concatenate[Database, P], T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Ask the database, in a thread. Raises CredentialError: it is tried again, as a connection is."""
        try:
            return await asyncio.to_thread(work, self._database, *arguments, **named)
        except StorageError as error:
            reason = f"the login can't be read or stored: {error}"
        raise CredentialError(reason)


def _nobody(oauth: OAuth) -> SignInNeededError:
    return SignInNeededError(nobody_signed_in(oauth.account))


def _life(login: StoredLogin) -> int:
    return max(login.ends_at - login.got_at, 0) // 1000
