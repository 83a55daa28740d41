"""When a login by OAuth 2 ends though nobody has ended it, and when people are told before.

Google: "Using OAuth 2.0 to access Google APIs", refresh token expiration; Microsoft: "Refresh tokens in the Microsoft
identity platform".
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from relay.model.oauth import Flow, OAuth, Provider, StoredLogin

DAY: Final = 86_400_000
FORESEEN: Final = (60, 30, 7)
"""Days before an end at which people are told."""
_SHORT: Final = (3, 1)
"""The same, of what lives for days alone."""
_EARLY: Final = 0.7
"""Of its life: what is left longer than that is not told, since it has only just begun."""
_RESTS: Final = {Provider.MICROSOFT: 90, Provider.GOOGLE: 180}
"""Days without use after which a provider ends a login."""
_TESTING: Final = 8 * DAY
"""Google ends what an app "in testing" was given after seven days."""


class ProofEnd(NamedTuple):
    """When what a program proves itself by at its issuer ends."""

    at: int
    """Milliseconds, UTC."""
    is_certificate: bool
    """Whether it is a certificate; else it is the client secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """When a login ends. Times are milliseconds, UTC."""

    at: int
    days: tuple[int, ...]
    """Before it, at which people are told; the first is the earliest."""

    def is_near(self, now: int) -> bool:
        """Tell whether people are to know of it."""
        return self.at - now <= self.days[0] * DAY

    @property
    def again(self) -> tuple[int, ...]:
        """The moments at which people are told once more."""
        return tuple(self.at - days * DAY for days in self.days[1:])


def end_of_login(oauth: OAuth, login: StoredLogin) -> End | None:
    """Return when a login ends by itself: as the issuer said, or unused; None where that is not known."""
    if oauth.flow is Flow.APP or login.ended:
        return None
    ends = []
    if login.renewal_ends_at:
        ends.append((login.renewal_ends_at, login.renewal_ends_at - login.renewal_at))
    if (rest := _RESTS.get(oauth.provider)) is not None and login.got_at:
        ends.append((login.got_at + rest * DAY, rest * DAY))
    if not ends:
        return None
    at, life = min(ends)
    days = [one for one in (*FORESEEN, *_SHORT) if one * DAY <= life * _EARLY]
    return End(at=at, days=tuple(days[: len(FORESEEN)]) or (0,))


def longest_rest(login: StoredLogin, usual: int) -> int:
    """Return for how many milliseconds a login may rest, so that what renews it does not end meanwhile."""
    return min(usual, (login.renewal_ends_at - login.renewal_at) // 2) if login.renewal_ends_at else usual


def renewed(old: StoredLogin, *, life: int, is_new: bool, now: int) -> tuple[int, int]:
    """Return since when, and until when, what renews a login holds, after an answer of the issuer.

    `life`: in seconds, as it said, 0 where it did not; `is_new`: whether it gave another one. An end that stays where
    it was, as that of an app "in testing" at Google, counts from its beginning.
    """
    if not life:
        return (0, 0) if is_new else (old.renewal_at, old.renewal_ends_at)
    ends = now + life * 1000
    if old.renewal_ends_at and ends <= old.renewal_ends_at + DAY // 24:
        return old.renewal_at, min(ends, old.renewal_ends_at)
    return now, ends


def remark_on_end(oauth: OAuth, login: StoredLogin, now: int) -> str:
    """Say beside the issuer's words what the end of a login looks like: that of an app "in testing"; else nothing."""
    if oauth.provider is not Provider.GOOGLE or not _TESTING - 2 * DAY <= now - login.begun_at <= _TESTING:
        return ""
    return '; it ended seven days after the sign-in: if the app at Google is "in testing", publish it first'


def is_in_testing(oauth: OAuth, life: int) -> bool:
    """Tell whether Google gave a login for the few days of an app "in testing". `life`: in seconds, as it said."""
    return oauth.provider is Provider.GOOGLE and 0 < life * 1000 <= _TESTING
