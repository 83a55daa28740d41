"""Encrypts what the database keeps of a login, by a key that stands in a file of its own and never in the database.

Guarantee: the key is durable before anything is sealed with it, and there is one key however many processes begin at
once. Without the file nothing that was sealed can be read; a backup of the database alone holds no token.
"""

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from relay.model.errors import CredentialError
from relay.model.oauth import KEY_FILE
from relay.storage.syncing import FOLDER, open_plain, replacing

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_LARGEST: Final = 4096
"""Octets of the file; a key has 45."""


class Sealer:
    """Seals and opens with the keys of one file; the first sealing makes it. Blocks: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the storage folder. The file has a key in each line, the newest first, and mode 0600.

        Nodes of one database have the same.
        """
        self.file: Final = folder / KEY_FILE

    def seal(self, content: bytes) -> str:
        """Encrypt and sign, with the newest key. Raises CredentialError where the file can't be read or made."""
        try:
            if not os.path.lexists(self.file):
                self._make()
        except OSError as error:
            reason = f"the key of the tokens can't be made: {error.strerror} ({self.file})"
        else:
            return self._keys().encrypt(content).decode()
        raise CredentialError(reason)

    def open(self, sealed: str) -> bytes:
        """Return what was sealed, with any of the keys. Raises CredentialError, which only a person can mend."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - 40 ms, and few accounts need it

        keys = self._keys()
        try:
            return keys.decrypt(sealed.encode("ascii", "replace"))
        except InvalidToken:
            reason = (
                f"the login was sealed with another key than that of {self.file}: put the right file there (from a"
                " backup, or another node of the same database), or sign in again"
            )
        raise CredentialError(reason, permanent=True)

    def _keys(self) -> "MultiFernet":
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - see above

        permanent = False
        try:
            with open(open_plain(self.file), "rb") as stream:  # noqa: PTH123 - it is open
                _shut_to_others(stream.fileno())
                lines = stream.read(_LARGEST).split()
            return MultiFernet([Fernet(line) for line in lines])
        except FileNotFoundError:
            permanent = True
            reason = f"the key of the tokens is gone: put {self.file} back (from a backup), or sign in again"
        except OSError as error:
            why = "it is a link; put the file itself there" if error.errno == errno.ELOOP else error.strerror
            reason = f"the key of the tokens can't be read: {why} ({self.file})"
        except ValueError:
            permanent = True
            reason = f"{self.file} holds no key: put the right file there (from a backup), or sign in again"
        raise CredentialError(reason, permanent=permanent)

    def _make(self) -> None:
        """Make the file, one process at a time, unless another has done so meanwhile. It is whole once it is there."""
        from cryptography.fernet import Fernet  # noqa: PLC0415 - see above

        folder = os.open(self.file.parent, FOLDER)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if not os.path.lexists(self.file):
                with replacing(self.file) as (_, descriptor):
                    os.write(descriptor, Fernet.generate_key() + b"\n")
        finally:
            os.close(folder)


def _shut_to_others(descriptor: int) -> None:
    """Take from others what a restore or a copy has let them do with the key; what root has set up stays."""
    found = os.fstat(descriptor)
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and found.st_uid == os.geteuid():
        with contextlib.suppress(OSError):  # the disk may be there for reading alone
            os.fchmod(descriptor, 0o600)
