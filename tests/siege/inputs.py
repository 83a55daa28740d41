"""Hostile inputs for the siege: what a client, a provider or a mailbox can send that costs much to read.

Each is built from runs: one pattern again and again, up to the limit of the place where it stands. Short random inputs
find nothing of this kind.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20
HEADER: Final = 255 * KIB
"""Octets of a hostile header: just what the limit lets in."""
COMMAND: Final = 12_200
"""Octets of a hostile command: just what the limit of AUTH lets in."""

RUNS: Final[dict[str, bytes]] = {
    "blanks": b" ",
    "tabs": b"\t",
    "commas": b",",
    "commas and blanks": b", ",
    "commas, folded": b",\r\n ",
    "dots": b".",
    "open parentheses": b"(",
    "closed parentheses": b")",
    "comments": b"()",
    "quoted open parentheses": b"(\\",
    "equals signs": b"=",
    "beginnings of encoded words": b"=?",
    "encoded words": b"=?utf-8?q?a?= ",
    "encoded words, folded": b"=?utf-8?q?a?=\r\n ",
    "encoded words of base64": b"=?utf-8?b?",
    "folds": b"\r\n ",
    "blanks, folded": b"       \r\n ",
    "quotes": b'"',
    "quoted quotes": b'\\"',
    "backslashes": b"\\",
    "semicolons": b";",
    "parameters": b"; a=b",
    "continued parameters": b'; name*0*="',
    "colons": b":",
    "angles": b"<",
    "closed angles": b">",
    "at signs": b"@",
    "routes": b"@a,",
    "mailboxes": b"a@b,",
    "mailboxes in angles": b"<a@b.example>,\r\n ",
    "groups": b"a:;",
    "open groups": b"a:",
    "open brackets": b"[",
    "letters": b"a",
    "letters and dots": b"a.",
    "xn--": b"xn--a.",
    "umlauts": "ä".encode(),
    "combining marks": "\u0301\u0327".encode(),
    "full-width dots": "\u3002".encode(),
    "hyphens": b"-",
    "percent signs": b"%41",
    "octets of no charset": b"\xff",
}

_ADDRESS_FIELDS: Final = ("From", "Sender", "Reply-To", "To", "Resent-From", "Resent-Sender")
_OTHER_FIELDS: Final = (
    *("Cc", "Bcc", "Resent-To", "Subject", "Message-ID", "Date", "Received", "Content-Type"),
    *("Content-Transfer-Encoding", "Content-Disposition", "MIME-Version", "DKIM-Signature", "References", "X-Other"),
)
_LINES: Final[dict[str, bytes]] = {
    "short fields": b"A:\r\n",
    "fields with a blank before the colon": b"A :\r\n",
    "From fields": b"From: sales@example.com\r\n",
    "empty From fields": b"From:\r\n",
    "Sender fields": b"Sender: a@b.example\r\n",
    "Reply-To fields": b"Reply-To:\r\n",
    "Bcc fields": b"Bcc: a@b.example\r\n",
    "Resent fields": b"Resent-From: a@b.example\r\n",
    "Resent-Bcc fields": b"Resent-Bcc: a@b.example\r\n",
    "Received fields": b"Received: by a; now\r\n",
    "signatures": b"DKIM-Signature: h=from;\r\n",
    "separators of mailboxes": b"From anna\r\n",
    "lines that are no fields": b"no field\r\n",
    "fields and lines that are none": b"A: b\r\nno field\r\n",
    "content types": b"Content-Type: multipart/mixed; boundary=b\r\n",
}


@dataclass(frozen=True, slots=True)
class Hostile:
    """One hostile input."""

    name: str
    data: bytes


def headers(size: int = HEADER) -> Iterator[Hostile]:
    """Give headers of about so many octets, each line with CRLF, without the empty line behind it."""
    own = b"From: sales@example.com\r\n"
    for name, pattern in _LINES.items():
        yield Hostile(f"header: {name}", pattern * (size // len(pattern)))
        yield Hostile(f"header: {name} behind a From", own + pattern * ((size - len(own)) // len(pattern)))
    for field in (*_ADDRESS_FIELDS, *_OTHER_FIELDS):
        for name, pattern in RUNS.items():
            before = b"" if field == "From" else own
            for form, (begin, end) in _forms(field).items():
                room = size - len(before) - len(field) - len(begin) - len(end) - 6
                value = begin + pattern * (room // len(pattern)) + end
                yield Hostile(f"header: {field}: {name}{form}", before + field.encode() + b": " + value + b"\r\n")


def _forms(field: str) -> dict[str, tuple[bytes, bytes]]:
    if field not in _ADDRESS_FIELDS:
        return {"": (b"", b"")}
    return {
        "": (b"", b""),
        " before an address": (b"", b"<sales@example.com>"),
        " within an address": (b"<", b"@example.com>"),
        " in a domain": (b"sales@", b""),
    }


def commands(size: int = COMMAND) -> Iterator[Hostile]:
    """Give command lines of about so many octets, with their CRLF."""
    verbs = {
        "MAIL": (b"MAIL FROM:<", b"@example.com>"),
        "MAIL, in the domain": (b"MAIL FROM:<a@", b">"),
        "MAIL, parameters": (b"MAIL FROM:<a@example.com> ", b""),
        "RCPT": (b"RCPT TO:<", b"@example.net>"),
        "RCPT, in the domain": (b"RCPT TO:<a@", b">"),
        "RCPT, parameters": (b"RCPT TO:<a@example.net> ORCPT=rfc822;", b""),
        "AUTH": (b"AUTH PLAIN ", b""),
        "EHLO": (b"EHLO ", b""),
        "an unknown verb": (b"", b""),
    }
    for verb, (begin, end) in verbs.items():
        for name, pattern in RUNS.items():
            if b"\r\n" in pattern:
                continue
            room = size - len(begin) - len(end) - 2
            yield Hostile(f"command: {verb}: {name}", begin + pattern * (room // len(pattern)) + end + b"\r\n")


def bodies(size: int = 75 * MIB) -> Iterator[Hostile]:
    """Give mails, headers and all, whose body has about so many octets; dots are stuffed already."""
    plain = b"From: sales@example.com\r\nTo: customer@example.net\r\n"
    mixed = plain + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    tiff = b"--b\r\nContent-Type: image/tiff; name=a.tif\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    deep = b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(2_000))
    patterns = {
        "one line": (plain, b"", b"x"),
        "bare line feeds": (plain, b"", b"\n"),
        "bare carriage returns": (plain, b"", b"\r"),
        "empty lines": (plain, b"", b"\r\n"),
        "dots": (plain, b"", b"..\r\n"),
        "dots behind bare line feeds": (plain, b"", b"\n."),
        "lines of 998": (plain, b"", b"x" * 998 + b"\r\n"),
        "lines of 100,000": (plain, b"", b"x" * 100_000 + b"\r\n"),
        "umlauts in one line of 1 MiB": (plain, b"", "ä".encode() * 500_000 + b"\r\n"),
        "beginnings of signatures": (plain, b"", b"-----BEGIN PGP SIGNED MESSAG\r\nmultipart/signe pkcs7\r\n"),
        "parts without end": (mixed, b"", b"--b\r\n\r\n"),
        "parts with fields": (mixed, b"", b"--b\r\nContent-Type: text/plain\r\nX: y\r\n\r\nz\r\n"),
        "boundaries that are none": (mixed, b"--b\r\n\r\n", b"--\r\n--c\r\n-"),
        "a header of a part without end": (mixed, b"--b\r\n", b"A: b\r\n"),
        "a field of a part without end": (mixed, b"--b\r\nA: b\r\n", b" c\r\n"),
        "parts within parts": (plain + b"Content-Type: multipart/mixed; boundary=b0\r\n", deep, b"--b1999\r\n\r\n"),
        "a TIFF in base64": (mixed, tiff, b"SUkqAAgAAAAPAP4ABAABAAAAAAAAAAABAwABAAAAxAkAAAEBAwABAAAA9QYAAAIB\r\n"),
        "a TIFF of blanks": (mixed, tiff, b" " * 900 + b"\r\n"),
        "a TIFF of equals signs": (mixed, tiff, b"=" * 900 + b"\r\n"),
        "small TIFFs": (mixed, b"", tiff + b"SUkqAAgAAAA=\r\n"),
        "names of TIFFs": (mixed, b"--b\r\nContent-Type: image/tiff", b';\r\n name*0*="a.tif"'),
    }
    for name, (header, begin, pattern) in patterns.items():
        data = begin + pattern * ((size - len(begin)) // len(pattern))
        yield Hostile(f"body: {name}", header + b"\r\n" + data + b"\r\n")


def provider_replies(size: int = 16 * MIB) -> Iterator[tuple[Hostile, str]]:
    """Give what a provider may say, with the step at which it says it: `EHLO`, `RCPT`, `DOT`, ..."""
    for step, code in {"CONNECT": 220, "EHLO": 250, "MAIL": 250, "RCPT": 550, "DATA": 451, "DOT": 554}.items():
        number = str(code).encode()
        more = number + b"-"
        yield Hostile(f"provider: {step}: one line without end", more + b"x" * size), step
        yield Hostile(f"provider: {step}: lines without end", (more + b"x\r\n") * (size // 7)), step
        yield Hostile(f"provider: {step}: long lines", (more + b" " * 500 + b"\r\n") * (size // 506)), step
        yield Hostile(f"provider: {step}: blank lines", b"\r\n" * (size // 2)), step
        yield Hostile(f"provider: {step}: digits", number + b"1" * size + b"\r\n"), step


def mailbox_answers(size: int = 75 * MIB) -> Iterator[tuple[Hostile, str]]:
    """Give what a POP3 server may answer, with the command that it answers: `UIDL`, `RETR`, ...; nothing is stuffed."""
    listed = {
        "CAPA": {"lines": b"X\r\n", "one line": b"X", "long lines": b"SASL " + b"PLAIN " * 80 + b"\r\n"},
        "LIST": {"one number": b"1 10\r\n", "one line": b"1", "signs": "²² ²²\r\n".encode("latin-1")},
        "UIDL": {"one number": b"1 a\r\n", "one line": b"1", "long ids": b"1 " + b"u" * 8_000 + b"\r\n"},
    }
    for command, patterns in listed.items():
        for name, pattern in patterns.items():
            yield Hostile(f"mailbox: {command}: {name}", b"+OK\r\n" + pattern * (size // len(pattern))), command
    numbered = {"LIST": b"%d 10\r\n", "UIDL": b"%d u%d\r\n"}
    for command, line in numbered.items():
        lines = b"".join(line % ((n,) * line.count(b"%d")) for n in range(1, min(2_000_000, size // 8)))
        yield Hostile(f"mailbox: {command}: a million numbers", b"+OK\r\n" + lines + b".\r\n"), command
    for mail in bodies(size):
        yield Hostile(f"mailbox: RETR: {mail.name}", b"+OK\r\n" + mail.data + b".\r\n"), "RETR"
    for field in ("To", "Delivered-To", "Received"):
        for name in ("blanks", "folds", "blanks, folded", "commas", "mailboxes", "open parentheses", "encoded words"):
            value = RUNS[name] * (size // len(RUNS[name]))
            data = b"+OK\r\n" + field.encode() + b": " + value + b"\r\n\r\nhello\r\n.\r\n"
            yield Hostile(f"mailbox: RETR: {field}: {name}", data), "RETR"
