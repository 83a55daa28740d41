"""The files of the office's own certificate, in `certificates/` of the storage folder.

Guarantee: each file is replaced as a whole, and holds a certificate with the key that belongs to it, so that nobody
ever reads a pair that does not fit. Files with a key are their owner's alone.
"""

import contextlib
import datetime as dt
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.certificates import CertificateError
from relay.places import AUTHORITY, CERTIFICATE
from relay.rules.certificates import Certificate, read_pem
from relay.storage.syncing import FOLDER as OPENED
from relay.storage.syncing import open_plain, replacing, sync

FOLDER: Final = "certificates"
RENEWED: Final = dt.timedelta(days=30)
"""So long before its end a certificate is made anew."""
_LARGEST: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Store:
    """The certificates of one storage folder."""

    storage: Path

    @property
    def folder(self) -> Path:
        """Where all of them are."""
        return self.storage / FOLDER

    @property
    def server(self) -> Path:
        """The certificate of this machine, its authority's, and its key: for `certificate` and `private_key` alike."""
        return self.storage / CERTIFICATE

    @property
    def root(self) -> Path:
        """The authority's certificate, which others are to trust."""
        return self.folder / "authority.crt"

    @property
    def _authority(self) -> Path:
        return self.storage / AUTHORITY

    def make(
        self, names: Sequence[str], authority: str, now: dt.datetime, *, others: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Make a certificate for these names, and the authority of this name where there is none yet.

        `others`: names that are left out where an authority that is there already may not sign for them; these are
        returned. Raises CertificateError, OSError.
        """
        with self._locked():
            left_out = self._find_outside(others)
            kept = [name for name in others if name not in left_out]
            self._make(list(dict.fromkeys((*names, *kept))), authority, now)
        return left_out

    def renew(self, now: dt.datetime) -> Certificate | None:
        """Make the certificate anew where it ends soon, for the same names; return what was made, None where none was.

        Raises CertificateError, OSError.
        """
        self.complete()
        if not self._is_due(now):
            return None
        with self._locked():
            found = self._is_due(now)
            if found is None:
                return None
            if not self._authority.exists():
                raise CertificateError(f"{self._authority}: it is gone, so that nothing can be signed")
            self._make(found.names, "", now)
            return self.read()

    def complete(self) -> None:
        """Write the authority's certificate where it is gone: a backup brings the key alone. Raises OSError."""
        if self._authority.exists() and not self.root.exists():
            from relay.certificates.authority import only_certificate  # noqa: PLC0415 - 40 ms

            with self._locked():
                _write(self.root, only_certificate(_read(self._authority)), 0o644)

    def read(self) -> Certificate | None:
        """Return what the certificate says of itself; None where there is none that can be read."""
        try:
            return read_pem(_read(self.server))
        except OSError:
            return None

    def read_root(self) -> bytes:
        """Return the authority's certificate, as PEM, and nothing else of its file. Raises CertificateError, OSError.

        Whoever asks may be root at a terminal, and the file is the service's: it may hold anything.
        """
        from relay.certificates.authority import only_certificate  # noqa: PLC0415 - 40 ms

        try:
            return only_certificate(_read(self.root))
        except CertificateError as error:
            raise CertificateError(f"{self.root}: {error}") from None

    def _find_outside(self, names: Sequence[str]) -> tuple[str, ...]:
        from relay.certificates.authority import find_outside  # noqa: PLC0415 - 40 ms

        if not self._authority.exists():
            return ()
        try:
            return find_outside(_read(self._authority), names)
        except CertificateError as error:
            raise CertificateError(f"{self._authority}: {error}") from None

    def _is_due(self, now: dt.datetime) -> Certificate | None:
        found = self.read()
        return found if found is not None and found.until - now <= RENEWED else None

    def _make(self, names: Sequence[str], name: str, now: dt.datetime) -> None:
        from relay.certificates.authority import issue, make_authority, only_certificate  # noqa: PLC0415 - 40 ms

        if not self._authority.exists():
            _write(self._authority, make_authority(name, now, names), 0o600)
        authority = _read(self._authority)
        try:
            root, server = only_certificate(authority), issue(authority, names, now)
        except CertificateError as error:
            raise CertificateError(f"{self._authority}: {error}") from None
        if not self.root.exists() or _read(self.root) != root:
            _write(self.root, root, 0o644)
        _write(self.server, server, 0o600)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep others out: a command and the service may make one at the same time."""
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o755)
            sync(self.storage)
        descriptor = os.open(self.folder, OPENED)
        try:
            os.fchmod(descriptor, 0o755)  # the authority's certificate is for all; keys have modes of their own
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _read(path: Path) -> bytes:
    with open(open_plain(path, links=True), "rb") as stream:  # noqa: PTH123 - it is open
        return stream.read(_LARGEST)


def _write(path: Path, content: bytes, mode: int) -> None:
    with replacing(path) as (_, descriptor):
        os.fchmod(descriptor, mode)
        os.write(descriptor, content)
