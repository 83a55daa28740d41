"""What the rules decided about one mail."""

from dataclasses import dataclass
from enum import StrEnum

from relay.model.address import Address
from relay.model.reply import Reply


class Rule(StrEnum):
    """The account rule that chose, by its number in `relay explain`.

    1a: From is an account's address. 2a: there is no From, and the profile address of whoever submits is one. 3: else
    the first account that he owns.
    """

    FROM = "1a"
    PROFILE = "2a"
    OWNER = "3"


class Identity(StrEnum):
    """How it was found out who submits; first match wins."""

    LOGIN = "login"
    DEVICE = "device"
    FROM = "from"
    LISTENER = "listener"
    NOBODY = "nobody"

    @property
    def is_proved(self) -> bool:
        """Whether it is enough for a restricted account: a login or a device, nothing that a mail could say."""
        return self in (Identity.LOGIN, Identity.DEVICE)


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
    """The field's body, without the name and the colon; folded already, without the final line end."""
    position: int | None = None
    before: int | None = None
    why: str = ""


Edit = RemoveFields | SetField


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutePlan:
    """Which account sends a mail, by which rule, and what is rewritten."""

    user: str | None
    identity: Identity
    rule: Rule
    account: str
    sender_before: Address | None
    """The address that decided: From (Resent-From of the newest block), None where there was none."""
    sender_after: Address
    reverse_path: Address | None
    """The envelope sender: the account's address; None stays null."""
    edits: tuple[Edit, ...] = ()
    steps: tuple[str, ...] = ()
    """Why, in plain sentences, in the order of the decisions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A mail that the rules refuse, and why."""

    user: str | None
    identity: Identity
    reason: str
    """A short word for the log: `no_account`, `excluded`, `restricted`, `large_field`, `loop`, ..."""
    reply: Reply
    """What the client is told: it names what the client itself sent, and the user it resolved to."""
    account: str | None = None
    rule: Rule | None = None
    sender_before: Address | None = None
    steps: tuple[str, ...] = ()
