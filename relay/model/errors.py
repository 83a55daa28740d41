"""The errors that packages raise to each other. Any other exception is a bug of ours, and transient to a client."""


class RelayError(Exception):
    """The base of the errors below. Its text is for administrators, never for SMTP clients."""


class StorageError(RelayError):
    """The database or the disk failed. Transient: nothing was accepted, and nothing is lost."""


class StorageBusyError(StorageError):
    """Another process serves this storage folder."""

    holder: str = ""
    """Its process id, if known."""


class NothingStoredError(StorageError):
    """There is no database yet, since no service has run here."""


class StorageFullError(StorageError):
    """The disk is full. A client gets 452."""


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


class SignInNeededError(CredentialError):
    """Somebody must sign in for an account: nobody has, or the login is over or lost. The text holds the command."""

    def __init__(self, text: str) -> None:
        super().__init__(text, permanent=True)


class StateConflictError(RelayError):
    """A command is not allowed in the present state, such as deleting a mail that is being delivered."""


class ClaimLostError(RelayError):
    """A delivery is no longer claimed by this process: its lease has expired, and another node may have claimed it."""


class NotFoundError(RelayError):
    """There is no such mail, delivery or account."""
