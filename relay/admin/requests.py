"""What people ask and order, one value for each question and each action; and what they are answered.

An answer is what programs read, as JSON, and beside it the words for people, written where the office's time zone and
the configuration are known. JSON has one name for one thing, and those of the log (decision 28); its times are as
`utc_time` writes them.
"""

from enum import StrEnum
from typing import Any, Final, TypeAlias

from relay.model.errors import RelayError
from relay.model.state import State
from relay.value import Value

Json: TypeAlias = Any
"""What JSON holds; tuples, mappings and enums are written as such."""


class Told(Value):
    """Some things that were asked for: for programs, and for people in a table, by facts or in lines."""

    json: tuple[Json, ...] = ()
    """What `--json` prints: an item of a list for each thing."""
    rows: tuple[tuple[Json, ...], ...] = ()
    """The cells of a table, for each thing; one that may be cut is a text, or a pair of it and an end that may not."""
    facts: tuple[tuple[str, str], ...] = ()
    """What people read of one thing: names with values, of which empty ones are left out."""
    nothing: str = ""
    """What is said where there is nothing to list."""
    nothing_matters: bool = False
    """Whether that is said to who reads JSON, too."""
    lines: tuple[str, ...] = ()
    """What is said below."""
    exit_status: int = 0
    """Of a command: not 0 where not all is as it was wanted."""


class Question(Value):
    """What the person is asked before anything is changed."""

    text: str
    """`Hold these 3 mails`."""
    unasked: str = ""
    """What is said where nobody is there to answer; empty: the usual."""
    about: tuple[Told, ...] = ()
    """What it would be done to."""


class Progress(Value):
    """How far long work is."""

    what: str
    done: int
    """Units so far."""
    total: int | None = None
    """None: nobody knows."""


class Note(Value):
    """A line for people."""

    text: str
    is_fault: bool = False
    """Whether it is something that was not done, or is to be looked at."""


Answer: TypeAlias = Told | Question | Progress | Note


VERSION: Final = 2
"""Of all requests and answers together: counted up with each change, so that a command and a service of different
releases do not misunderstand each other."""


class MisuseError(RelayError):
    """Wrong usage: the request makes no sense, whatever there is."""

    kind = "misuse"


class ShowStatus(Value):
    """Tell how things stand: Told, whose first line is that of all, and whose status is that of `relay status`."""

    digest: str = ""
    """A hash of the configuration's file, by who could read it; empty: the service looks itself."""


class Filter(Value):
    """Which mails are meant, as the options of a command say it; spans in milliseconds."""

    states: tuple[State, ...] = ()
    account: str | None = None
    user: str | None = None
    older: int | None = None
    since: str | None = None
    until: str | None = None
    to: str | None = None
    everything: bool = False
    default: tuple[State, ...] = ()
    """What `states` is where none is given; without it: those of which something waits, is being sent or held."""
    lists: bool = False
    """Whether it is for a list, whose `everything` is also what is done."""

    @property
    def is_given(self) -> bool:
        """Whether anything chooses mails."""
        return self.everything or self.is_narrow

    @property
    def is_narrow(self) -> bool:
        """Whether anything leaves mails out."""
        return bool(self.states or self.account or self.user or self.older or self.since or self.until or self.to)


class ListMails(Value):
    """List mails, the newest first: Told for each page, and at the end what is said below."""

    filter: Filter
    limit: int = 200


class ShowMails(Value):
    """Show the mails of an id, with their history: Told for each. `whole`: those that came in as well."""

    id: str
    whole: bool = False


class Action(StrEnum):
    """What people do with mails that wait."""

    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    MOVE = "move"
    DELETE = "delete"


class ChangeMails(Value):
    """Change mails: Question before many are changed, Progress, Note; Told, with a status, where not all was done."""

    action: Action
    filter: Filter
    ids: tuple[str, ...] = ()
    """Of mails, or their beginnings, in place of the filter."""
    account: str = ""
    """To which mails are moved."""
    yes: bool = False
    """Whether nobody is asked."""


class RunQueue(Value):
    """Try everything that is queued now, at any hour: Note; Told, with a status, where some still wait."""


class ListAccounts(Value):
    """List the accounts: Told."""


class PauseAccount(Value):
    """Pause an account, or end its pause: Note."""

    account: str
    resume: bool = False


class TakeUpLogin(Value):
    """Log that somebody has signed in for an account, and try at once what the login of before kept waiting."""

    account: str


class Reload(Value):
    """Let the running service read its configuration anew: Note for each mistake, or that it is done."""


class Poll(Value):
    """Collect mail from an account's mailbox now (empty: from all): Progress of each, then Told with the results."""

    account: str = ""


class ListQuarantine(Value):
    """List what is in the quarantine: Told."""


class ShowQuarantined(Value):
    """Show one mail of the quarantine: Told."""

    id: str


class DeliverQuarantined(Value):
    """Put mails of the quarantine into a user's inbox: Progress and Note for each."""

    to: str
    ids: tuple[str, ...] = ()
    """Empty: all that was meant for this user."""


class DeleteQuarantined(Value):
    """Delete mails of the quarantine for good: Question, then Note for each."""

    ids: tuple[str, ...]
    yes: bool = False
    """Whether nobody is asked."""


class Explain(Value):
    """Apply the rules to a mail that is not sent: Told. Not for the control socket: a mail is no JSON."""

    message: bytes
    """The mail as a file holds it."""
    user: str | None = None
    """Who submits, as if he had logged in."""
    ip: str | None = None
    device: str | None = None
    """In place of `ip`: the name of the device that the client is."""
    to: tuple[str, ...] = ()
    """The paths of RCPT, with or without brackets."""
    null_sender: bool = False
    smtputf8: bool = True
    listener: int = 1
    """To which the client connects, counted from 1."""


class ExplainIncoming(Value):
    """Say in whose inbox a collected mail would stand: Told. Not for the control socket."""

    message: bytes
    account: str = ""
    """By whose mailbox it comes."""


class TryAccount(Value):
    """Log in to an account's servers, step by step: Note, Told for each step; at the end a Note, a fault if one failed.

    Nothing is sent, fetched or deleted, but for a round trip.
    """

    account: str = ""
    everything: bool = False
    """All accounts, one provider after the other, in place of the one."""
    round_trip: bool = False
    """Whether a mail is sent to the account itself and fetched back, where all steps before were good."""
