"""Logins by a token that nobody uses for a while are refreshed all the same: an issuer ends those that rest too long.

Microsoft ends one after 90 days without use, Google after six months.
"""

import asyncio
import contextlib
from typing import Final

from relay.accounts.keeping import TokenKeeper
from relay.model.errors import CredentialError
from relay.model.oauth import Flow
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

    def __init__(self, runtime: Runtime, tokens: TokenKeeper) -> None:
        self._settings, self._now = runtime.settings, runtime.now
        self._tokens = tokens

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
            with contextlib.suppress(CredentialError):
                login = await self._tokens.find(oauth)
                if login is None or login.ended:
                    continue
                if self._now() - login.got_at > longest_rest(login, LONGEST_REST):
                    await self._tokens.token(oauth)
