"""Logins by a token that nobody uses for a while are refreshed all the same: an issuer ends those that rest too long.

Microsoft ends one after 90 days without use, Google after six months. Where a login turns out to be over, its account
is paused at once: people hear of it before a mail has to wait.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from relay.accounts.keeping import TokenKeeper
from relay.model.errors import CredentialError, RelayError, SignInNeededError
from relay.model.oauth import Flow, OAuth, StoredLogin
from relay.rules.oauth_ends import DAY, longest_rest
from relay.runtime import Runtime

ROUND: Final = 3600.0
"""Seconds between two looks."""
LONGEST_REST: Final = 7 * DAY
"""Milliseconds that a login may rest."""
LONGEST_UNUSED: Final = 30 * DAY
"""Milliseconds after which the login of an account that is gone is deleted: one taken out for a while keeps it."""


class LoginKeeper:
    """Keeps the logins of all accounts alive."""

    def __init__(self, runtime: Runtime, tokens: TokenKeeper, *, try_login: Callable[[str], Awaitable[None]]) -> None:
        """`try_login` logs in with an account of that name, and pauses it if it is refused."""
        self._settings, self._now = runtime.settings, runtime.now
        self._tokens = tokens
        self._try_login = try_login

    async def run(self) -> None:
        """Look after them for ever."""
        while True:
            await self.look()
            await asyncio.sleep(ROUND)

    async def look(self) -> None:
        """Refresh what has rested for too long; what can't be refreshed now is for the next look, or for a person.

        The login of an account that the configuration has no more is deleted after a while.
        """
        accounts = self._settings().directory.accounts
        used = {account.name for account in accounts if account.oauth is not None}
        with contextlib.suppress(CredentialError):
            await self._tokens.forget_unused(used, rested=LONGEST_UNUSED)
        for account in accounts:
            oauth = account.oauth
            if oauth is None or account.excluded or oauth.flow is Flow.APP:
                continue
            if await self._is_over(oauth):
                with contextlib.suppress(RelayError):  # the next look tries it again, or a mail
                    await self._try_login(account.name)

    async def _is_over(self, oauth: OAuth) -> bool:
        """Refresh a login that has rested for too long; return whether only a person can help with what there is."""
        try:
            login = await self._tokens.find(oauth)
            if login is not None and not login.ended and self._rests(login):
                await self._tokens.token(oauth)
        except SignInNeededError:
            return True
        except CredentialError:
            return False
        return login is not None and bool(login.ended)

    def _rests(self, login: StoredLogin) -> bool:
        return self._now() - login.got_at > longest_rest(login, LONGEST_REST)
