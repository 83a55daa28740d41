"""A mail as DATA wants it: dots stuffed (RFC 5321 section 4.5.2), long lines folded where that is allowed."""

from relay.rules.folding import BodyFolder, fold_header


class DataEncoder:
    """Encodes one mail, whose body comes in chunks that are cut anywhere."""

    def __init__(self, *, fold: bool) -> None:
        self._folder = BodyFolder() if fold else None
        self._tail = b""
        self._header_folded = False

    @property
    def folded(self) -> bool:
        """Whether a line was too long and has been folded."""
        return self._header_folded or (self._folder is not None and self._folder.folded)

    def head(self, block: bytes) -> bytes:
        """Return the header block with the blank line behind it."""
        if self._folder is not None:
            folded = fold_header(block)
            self._header_folded = folded is not block
            block = folded
        return self._stuffed(block + b"\r\n")

    def feed(self, chunk: bytes) -> bytes:
        """Return the next bytes of the body to send."""
        return self._stuffed(chunk if self._folder is None else self._folder.feed(chunk))

    def close(self) -> bytes:
        """End the last line, and the data."""
        rest = b"" if self._folder is None else self._stuffed(self._folder.close())
        return rest + (b".\r\n" if self._tail in (b"", b"\r\n") else b"\r\n.\r\n")

    def _stuffed(self, chunk: bytes) -> bytes:
        if not chunk:
            return b""
        at_start = self._tail in (b"", b"\r\n")
        out = chunk.replace(b"\r\n.", b"\r\n..")
        if at_start and chunk.startswith(b"."):
            out = b"." + out
        elif self._tail == b"\r" and chunk.startswith(b"\n."):
            out = b"\n." + out[1:]
        self._tail = (self._tail + chunk)[-2:] if len(chunk) < 2 else chunk[-2:]
        if not self._tail.endswith(b"\r\n"):
            self._tail = b"\r" if self._tail.endswith(b"\r") else b"x"
        return out
