"""What the rules decide about one mail: a route or a refusal."""

from dataclasses import dataclass
from enum import StrEnum

from relay.model.address import Address
from relay.model.reply import Reply


class Rule(StrEnum):
    """The rule that chose the account, by its number in `relay explain`."""

    FROM = "1a"
    """From is an account's address."""
    PROFILE = "2a"
    """There is no From, and the submitting user's profile address is an account's."""
    OWNER = "3"
    """Else the first account that the user owns."""


class KnownBy(StrEnum):
    """By what the submitting user was identified; the first that matches."""

    LOGIN = "login"
    DEVICE = "device"
    FROM = "from"
    LISTENER = "listener"
    NOBODY = "nobody"

    @property
    def is_proved(self) -> bool:
        """Whether it suffices for a restricted account: a login or a device does, nothing in the mail itself."""
        return self in (KnownBy.LOGIN, KnownBy.DEVICE)


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveFields:
    """Remove every header field of this name, or only those at the named positions among all fields."""

    name: str
    positions: frozenset[int] | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SetField:
    """Replace the field at `position` among all fields, add one before the field at `before`, or add one at the end."""

    name: str
    value: bytes
    """The field's body without the name and the colon, folded, without the final line end."""
    position: int | None = None
    before: int | None = None
    why: str = ""


Edit = RemoveFields | SetField


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutePlan:
    """Which account sends a mail, by which rule, and what is rewritten."""

    user: str | None
    identity: KnownBy
    rule: Rule
    account: str
    sender_before: Address | None
    """From, or Resent-From of the newest block; None if there is none."""
    sender_after: Address
    reverse_path: Address | None
    """The account's address; None is the null reverse-path."""
    edits: tuple[Edit, ...] = ()
    steps: tuple[str, ...] = ()
    """The reasons, as plain sentences in the order of the decisions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A mail that the rules refuse, and why."""

    user: str | None = None
    identity: KnownBy = KnownBy.NOBODY
    reason: str
    """A short word for the log: `no_account`, `excluded`, `restricted`, `large_field`, `loop`, ..."""
    reply: Reply
    """The reply to the client: it names only what the client sent, and the user that was identified."""
    account: str | None = None
    rule: Rule | None = None
    sender_before: Address | None = None
    steps: tuple[str, ...] = ()
