"""The service as a whole: its start and end, listeners, configuration, database and clock."""

from typing import Annotated

from relay.events.event import Event
from relay.events.fields import By, Error, File, QueueId, Traceback

_Host = Annotated[str, "the listener's host, as configured"]
_Port = Annotated[int, "the port that is listened on"]
_Schema = Annotated[int, "a schema's version"]


class ServiceStarted(Event):
    """Everything listens and sends."""

    version: Annotated[str, "the relay's"]
    config: File
    pid: Annotated[int, "the process"]
    accounts: Annotated[int, "how many accounts are configured"]
    users: Annotated[int, "how many users are configured"]


class ServiceStopping(Event):
    """A signal came, or what was to be done is done; the attempts and polls that run may end within `drain_timeout`."""

    reason: Annotated[str, "the signal's name, or `done`"]
    active: Annotated[int, "how many attempts and polls still run"]


class ServiceStopped(Event):
    """The last line of an orderly end. Where it is missing, the process was killed or has crashed."""


class Listening(Event):
    """A listener is open."""

    host: _Host
    port: _Port
    tls: Annotated[str, "`none`, `starttls` or `implicit`"]


class ListenerClosed(Event):
    """A reload: the configuration no longer has this listener. Its running sessions end by themselves."""

    host: _Host
    port: _Port


class CertificateTakenOver(Event):
    """The file of a certificate has changed, and the listeners that name it show the new one. Nothing is to be done."""

    certificate: Annotated[str, "the file"]


class CertificateNotTakenOver(Event, level="warning"):
    """The file of a certificate has changed, and is of no use: the old one is shown on. Said once for each change.

    A renewal that has written only one of its two files so far is taken over a minute later.
    """

    certificate: Annotated[str, "the file"]
    reason: Annotated[str, "what is wrong with it"]


class CertificateRenewed(Event):
    """The office's own certificate ended in less than 30 days and was made anew. Nothing is to be done."""

    certificate: Annotated[str, "the file"]
    until: Annotated[str, "the new one's last day"]


class CertificateNotRenewed(Event, level="warning"):
    """The office's own certificate ends in less than 30 days, and could not be made anew: it is tried each hour.

    Mend what `reason` names, or make a new one: `relay certificate make`.
    """

    certificate: Annotated[str, "the file"]
    reason: Annotated[str, "what went wrong"]


class ConfigurationWarning(Event, level="warning"):
    """The configuration works, but is probably not what you want; `relay check` prints the same."""

    warning: Annotated[str, "the key and what is odd about it"]


class ConfigurationReloaded(Event):
    """SIGHUP or `relay reload`: the new configuration is in force, as a whole."""

    config: File
    by: By = ""


class ConfigurationRefused(Event, level="error"):
    """SIGHUP or `relay reload`: the old configuration stays, as a whole. Correct the mistake and reload again.

    One line for each mistake, listener or log file that can't be opened.
    """

    mistake: Annotated[str, "the key and what is wrong with it"]


class DatabaseUpgraded(Event):
    """The database was brought to the schema of this program; older programs can't open it any more."""

    schema_before: _Schema
    schema_after: _Schema


class DatabaseCopied(Event):
    """A copy of the SQLite file was made before it was upgraded. Keep it until you trust the new program."""

    file: File
    schema: _Schema


class DatabaseGone(Event, level="error"):
    """Somebody deleted the SQLite file, or put another in its place, while the service runs.

    New mail is refused for now (452); what was accepted goes on. Put the file back, or restart the service.
    """

    file: File
    reason: Annotated[str, "what was found in its place"]


class CommitInDoubt(Event, level="warning"):
    """A COMMIT failed or its answer was lost; the next connection asked whether it took effect.

    If not, it was tried again. Nothing is lost; look after the database if it happens often.
    """

    error: Error
    took_effect: Annotated[bool | None, "`null`: the database gave no answer"]


class WriterDied(Event, level="critical"):
    """A fault of the relay ended the thread that writes: the service ends; start it again, and report the fault."""

    error: Error


class NodeNameTaken(Event, level="error"):
    """Another process was started in this node's name, as with a copy of its machine.

    Each takes up at its start what the other is sending: give one of them a storage folder of its own.
    """

    node: Annotated[str, "the node's name"]


class ClockJumped(Event, level="warning"):
    """The wall clock moved by so much more than time did: what never passed counts as a pause, no mail is given up."""

    seconds: Annotated[int, "by how much; negative if it went back"]


class ActivityFailed(Event, level="error"):
    """A fault inside of the relay or its database; it goes on by itself. With an exception, please report it."""

    activity: Annotated[str, "what was being done"]
    queue_id: QueueId | None = None
    error: Error
    exception: Traceback = None
    restart_in: Annotated[float | None, "seconds until the activity starts again"] = None


class LibraryMessage(Event, level="warning"):
    """A library has something to say; the level is the library's, warning at least."""

    logger: Annotated[str, "the library's name for its logger"]
    message: Annotated[str, "what it says"]
    exception: Traceback = None
