"""Somebody is told: of a mail that was not delivered, or of something that needs a person."""

from typing import Annotated

from relay.events.event import Event
from relay.events.fields import Account, Error, QueueId

_Kind = Annotated[str, "the kind of alert ([what each means](monitoring.md))"]
_Subject = Annotated[str, "what the alert is about, such as an account's name"]


class NoticeQueued(Event):
    """A notice was written."""

    queue_id: QueueId
    about: Annotated[str | None, "the queue id of the mail that it is about"]
    to: Annotated[str, "for whom: an address, or a user's name"]
    way: Annotated[str, "`inbox`, or `mail`"]
    kind: Annotated[str, "what kind of notice it is"]


class NoticeMoved(Event, level="warning"):
    """A notice leaves an account that does not work, or was refused, and goes another way."""

    queue_id: QueueId
    account: Account
    to: Annotated[str, "for whom: an address, or the user in whose inbox it stands then"]
    way: Annotated[str, "the other account, or `inbox`"]


class NoticeDropped(Event, level="warning"):
    """Nobody is told that a mail was not delivered, and why."""

    queue_id: QueueId
    reason: Annotated[str, "why: a null sender, a notice itself, or NOTIFY"]


class _Alert(Event):
    queue_id: Annotated[str, "the notice's id"]
    kind: _Kind
    subject: _Subject
    since: Annotated[str | None, "when it began"]


class AlertRaised(_Alert, level="warning"):
    """The postmaster is told of something that needs him: do what the alert says."""


class AlertCleared(_Alert):
    """The postmaster is told that it is over: it has not been found for a quarter of an hour."""


class AlertFailed(Event, level="error"):
    """The postmaster could not be told, as on a full disk; it is tried again each minute, and said once."""

    kind: _Kind
    subject: _Subject
    error: Error
