"""The errors that cross rooms. Whatever is not one of these is a fault of ours, and transient to a client."""


class RelayError(Exception):
    """Base of the errors below; its text is for administrators, never for SMTP clients."""


class StorageError(RelayError):
    """The database or the disk did not do its part. Transient: nothing was accepted, nothing is lost."""


class StorageBusyError(StorageError):
    """Another process is the service of this storage folder."""

    holder: str = ""
    """Its number, where it is known."""


class StorageFullError(StorageError):
    """The disk has no room: a client is told so (452), and nothing else is wrong."""


class SourceError(RelayError):
    """A session with a provider's mailbox can't go on. Transient: what was not collected stays there.

    Its text is one line that begins with the step at which it happened, such as `login: `, and holds no secret.
    """


class CredentialError(RelayError):
    """The secret of a login can't be had; the text names its source, never the secret."""

    def __init__(self, text: str, *, permanent: bool = False) -> None:
        super().__init__(text)
        self.permanent = permanent
        """Whether only a person can help, as where the issuer of a token has revoked it: then the account is paused."""


class StateConflictError(RelayError):
    """A command does not fit the state of what it acts on, such as deleting what is being delivered."""


class ClaimLostError(RelayError):
    """A delivery is not this process's any more: its lease ran out, and another node may have it."""


class NotFoundError(RelayError):
    """There is no such mail, delivery or account."""
