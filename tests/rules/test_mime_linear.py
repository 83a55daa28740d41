"""Work on a hostile mail grows as the mail does: steps are counted, not seconds."""

import sys
from collections.abc import Callable
from typing import Any, Self, SupportsIndex

import pytest

from relay.rules.content import read_content
from relay.rules.tiff import TiffStripper

Build = Callable[[int], bytes]

MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n"
NESTED = b"".join(
    b"--%s\r\nContent-Type: multipart/x; boundary=%s\r\n\r\n" % (b"b" * n, b"b" * (n + 1)) for n in range(1, 30)
)
"""Multiparts in each other, the boundary of each the beginning of the next."""


class Counted(bytearray):
    """What the reader holds, with a count of the octets that are added, copied, searched and removed."""

    octets = 0

    def find(self, sub: Any, start: Any = 0, stop: Any = None) -> int:  # noqa: ANN401 - as the base has it
        found = super().find(sub, start, stop)
        self.octets += max(0, (min(stop, len(self)) if found < 0 else found) - start)
        return found

    def __getitem__(self, index: SupportsIndex | slice) -> Any:  # noqa: ANN401
        piece = super().__getitem__(index)
        self.octets += len(piece) if isinstance(piece, bytes | bytearray) else 1
        return piece

    def __iadd__(self, more: Any) -> Self:  # type: ignore[misc]  # noqa: ANN401 - as the base has it
        self.octets += len(more)
        return super().__iadd__(more)


def count_steps(body: bytes, size: int) -> int:
    """Count calls, and octets that are touched outside of them, while a mail is fed in pieces of a size."""
    stripper = TiffStripper(MIXED, language="en")
    stripper._reader._data = counted = Counted(stripper._reader._data)
    calls = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for piece in pieces:
            stripper.feed(piece)
        stripper.close()
    finally:
        sys.setprofile(before)
    assert stripper._reader._data is counted
    return calls + counted.octets


def head(field: bytes, n: int) -> bytes:
    return b"--b\r\n" + field * n + b"\r\n\r\n"


BODIES: dict[str, Build] = {
    "delimiters": lambda n: b"--b\r\n" * n,
    "parts": lambda n: b"--b\r\n\r\n" * n,
    "look-alikes": lambda n: b"--b\r\n\r\n" + b"\r\n--bX" * n,
    "one delimiter that never ends": lambda n: b"--b\r\n\r\n\r\n--b" + b" " * 8 * n,
    "beginnings of many boundaries": lambda n: NESTED + (b"\r\n--" + b"b" * 40) * n,
    "lines below many boundaries": lambda n: NESTED + b"\r\n--a" * n,
    "hyphens": lambda n: NESTED + b"-" * 8 * n,
    "line ends": lambda n: NESTED + b"\r\n" * 4 * n,
    "multiparts in multiparts": lambda n: b"".join(
        b"--%d\r\nContent-Type: multipart/x; boundary=%d\r\n\r\n" % (i, i + 1) for i in range(n)
    ).replace(b"--0\r", b"--b\r"),
    "mails in mails": lambda n: b"--b\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * n,
    "a header that never ends": lambda n: b"--b\r\n" + b"X: y\r\n" * n,
    "a line that never ends": lambda n: b"--b\r\nX: " + b"y" * 8 * n,
    "blanks": lambda n: head(b" " * 8, n),
    "base64": lambda n: b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"!=\r\n" * 2 * n,
    "a TIFF": lambda n: b"--b\r\nContent-Type: image/tiff\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * n,
    "quoted-printable": lambda n: b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r\n" * 2 * n,
}


@pytest.mark.parametrize("size", [1, 97, 1 << 18])
@pytest.mark.parametrize("name", BODIES)
def test_work_grows_as_the_mail_does(name: str, size: int) -> None:
    least = {1: 60, 97: 600}.get(size, 2000)
    bodies = [BODIES[name](least << n) for n in range(3)]
    once, twice, fourfold = (count_steps(body, size) for body in bodies)
    for before, after, small, large in zip((once, twice), (twice, fourfold), bodies, bodies[1:], strict=False):
        assert after <= 1.15 * before * len(large) / len(small) + 1000


RUNS = [
    b" ", b"\t", b";", b"; ", b"=", b'"', b"\\", b'\\"', b'"\\', b";a=", b';a="', b';a="\\";', b"; name*1=x",
    b"; name*0*=%41", b"'", b"%", b"%4", b"=?", b"=?utf-8?q?a?= ", b"=?utf-8?b?QUJD?=", b"?=", b"*", b".tif", b".tif ",
    b"(", b"()", b"\r\n ", b"\r\n\t\r\n ", b"a", b"a ", b"\xe4", b"/",
]  # fmt: skip
BEGINNINGS = [
    b"Content-Type: ",
    b"Content-Type: a/b; name=",
    b'Content-Type: a/b; name="',
    b"Content-Disposition: x; filename*=utf-8''",
    b"Content-Type: multipart/x; boundary=",
    b"Content-Type",
    b"X",
]


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_field_of_any_run_is_read_at_once(beginning: bytes) -> None:
    """The patterns give nothing back: what is no match is found out in one go, for fields as long as the limit."""
    for run in RUNS:
        for end in (b"", b'"', b"\\", b"=", b":"):
            field = beginning + run * (262_144 // len(run)) + end + b"\r\n"
            read_content(field)


def test_the_field_is_read_in_few_steps() -> None:
    counts = []
    for n in (1000, 2000, 4000):
        calls = 0

        def note(_frame: object, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event in {"call", "c_call"}

        block = b"Content-Type: a/b" + b"; name*1*=%41" * n + b"\r\n"
        sys.setprofile(note)
        try:
            read_content(block)
        finally:
            sys.setprofile(None)
        counts.append(calls)
    assert counts[0] == counts[1] == counts[2]
