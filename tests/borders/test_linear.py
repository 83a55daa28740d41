"""Each function that sees bytes from outside takes time that grows with them, not with their square."""

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from relay.bcc_archive import make_stripper
from relay.intake.commands import BadCommandError, parse_argument, parse_forward_path
from relay.model.account import Account, ArchivePolicy, Directory, Security, SmtpServer, User
from relay.model.address import Address, ascii_domain
from relay.model.envelope import Client, Envelope
from relay.model.route import RemoveFields
from relay.planning import plan_mail
from relay.rules.address import parse_addr_spec, parse_mailboxes
from relay.rules.charsets import decode_words
from relay.rules.content import read_content
from relay.rules.disguise import find_disguised
from relay.rules.dot_stuffing import DotReader, normalise_lines
from relay.rules.folding import BodyFolder, fold_header
from relay.rules.headers import apply_edits, find_values, is_signed, split_fields
from relay.rules.hours import parse_hours
from relay.rules.message_splitter import MessageSplitter, split_message
from relay.rules.oauth_answers import read_device_code, read_tokens
from relay.rules.oauth_claims import read_names
from relay.rules.oauth_provider import Endpoints, read_redirect
from relay.rules.replies import read_reply
from relay.rules.sender import find_origin
from relay.rules.summary import summarise
from relay.rules.trace import received_count
from relay.settings.hosts import parse_network
from relay.settings.quantities import parse_duration, parse_size
from tests.borders.steps import grows_in_line, stalls
from tests.siege.inputs import RUNS

KIB = 1 << 10
Take = Callable[[bytes], object]
PIECE = 64


def pieces(data: bytes) -> Iterator[bytes]:
    return (data[n : n + PIECE] for n in range(0, len(data), PIECE))


def fed(reader: Any, data: bytes) -> object:  # noqa: ANN401 - whatever reads
    return [reader.feed(piece) for piece in pieces(data)]


def text(function: Callable[[str], object]) -> Take:
    def take(data: bytes) -> object:
        with contextlib.suppress(ValueError, BadCommandError):
            return function(data.decode("latin-1"))
        return None

    return take


def field(name: bytes, function: Take) -> Take:
    return lambda data: function(name + b": " + data + b"\r\n")


def remove_all(block: bytes) -> object:
    fields = split_fields(block)
    return apply_edits(
        block, [RemoveFields(name=one.name, positions=frozenset(range(len(fields)))) for one in fields[:3]]
    )


def plan(header: bytes) -> object:
    """Rule 3 chooses, so that all is looked at that could be rewritten."""
    smtp = SmtpServer(host="h", port=25, security=Security.NONE)
    own = Address(local="sales", domain="example.com")
    anna = User(name="anna", address=Address(local="a", domain="b.example"))
    account = Account(name="sales", address=own, owner="anna", smtp=smtp)
    return plan_mail(
        directory=Directory(users=(anna,), accounts=(account,)),
        archive=ArchivePolicy(),
        hostname="relay.example",
        client=Client(ip=ip_address("192.0.2.1"), login="anna"),
        envelope=Envelope(reverse_path=None, recipients=()),
        header=normalise_lines(header),  # as the service gives it
    )


def strip_body(data: bytes) -> object:
    stripper = make_stripper(b"Content-Type: multipart/mixed; boundary=b\r\n", language="en")
    assert stripper is not None
    return fed(stripper, b"--b\r\n" + data)


def strip_header(data: bytes) -> object:
    return make_stripper(b"Content-Type: " + data + b"\r\n", language="en")


def look_for_disguises(data: bytes) -> object:
    return list(find_disguised([data], [Address(local="a", domain="b.example")]))


def answer(**keys: object) -> bytes:
    return json.dumps(keys).encode()


def refusal(data: bytes) -> bytes:
    return answer(error="invalid_grant", error_description=data.decode("latin-1"))


FUNCTIONS: dict[str, Take] = {
    "parse_mailboxes": parse_mailboxes,
    "parse_mailboxes, name": lambda data: parse_mailboxes(data + b"<a@b.example>"),
    "parse_mailboxes, local part": lambda data: parse_mailboxes(b"<" + data + b"@b.example>"),
    "parse_mailboxes, domain": lambda data: parse_mailboxes(b"a@" + data + b".example"),
    "parse_mailboxes, domains": lambda data: parse_mailboxes(b",".join(b"a@" + one for one in pieces(data))),
    "decode_words": text(decode_words),
    "parse_addr_spec": text(parse_addr_spec),
    "parse_addr_spec, domain": text(lambda data: parse_addr_spec("a@" + data)),
    "ascii_domain": lambda data: ascii_domain(data.decode("utf-8", "replace")),
    "Address.key": lambda data: Address(local=data.decode("utf-8", "replace"), domain="b.example").key,
    "Address.key, domain": lambda data: Address(local="a", domain=data.decode("utf-8", "replace")).key,
    "parse_argument": text(lambda data: parse_argument(f"FROM:<{data}@b.example>", "FROM")),
    "parse_argument, bare": text(lambda data: parse_argument(f"TO: {data}", "TO")),
    "parse_argument, parameters": text(lambda data: parse_argument(f"TO:<a@b.example> {data}", "TO")),
    "parse_forward_path": text(lambda data: parse_forward_path(data, None)),
    "split_fields": split_fields,
    "apply_edits": remove_all,
    "fold_header, a list": field(b"From", fold_header),
    "fold_header": field(b"Subject", fold_header),
    "find_values": lambda data: find_values(data, "a"),
    "is_signed": field(b"Content-Type", is_signed),
    "read_tokens": lambda data: read_tokens(200, data),
    "read_tokens, scopes": lambda data: read_tokens(200, answer(access_token="a", scope=data.decode("latin-1"))),
    "read_tokens, a refusal": lambda data: read_tokens(400, refusal(data)),
    "read_tokens, a refusal's traces": lambda data: read_tokens(400, refusal(data + b"Trace ID")),
    "read_device_code": lambda data: read_device_code(200, data),
    "read_redirect": text(lambda data: read_redirect(data, endpoints=Endpoints(token="t"), state="s")),
    "read_redirect, a query": text(lambda data: read_redirect(f"/?{data}", endpoints=Endpoints(token="t"), state="s")),
    "read_names": lambda data: read_names(f"a.{base64.b64encode(data).decode()}.c"),
    "summarise, a subject": field(b"Subject", summarise),
    "summarise, an id": field(b"Message-ID", summarise),
    "received_count": field(b"Received", received_count),
    "read_content": field(b"Content-Type", read_content),
    "make_stripper": strip_header,
    "TiffStripper": strip_body,
    "split_message": split_message,
    "MessageSplitter, behind a line that is no field": lambda data: fed(
        MessageSplitter(header_limit=KIB), b"A: b\r\nstray\r\n" + data
    ),
    "find_origin": lambda data: find_origin(split_fields(b"From: a@b.example c@d.example " + data + b"\r\n")),
    "find_disguised": look_for_disguises,
    "find_disguised, before an @": lambda data: look_for_disguises(data + b"@b.example"),
    "find_disguised, behind an @": lambda data: look_for_disguises(b"a@" + data),
    "find_disguised, both": lambda data: look_for_disguises(data[: len(data) // 2] + b"a@b" + data[len(data) // 2 :]),
    "plan_mail": plan,
    "plan_mail, From": field(b"From", plan),
    "plan_mail, Sender": lambda data: plan(b"From: a@b.example, c@d.example\r\nSender: " + data + b"\r\n"),
    "plan_mail, Reply-To": field(b"From: a@b.example\r\nReply-To", plan),
    "plan_mail, a Resent block": field(b"Resent-From: a@b.example\r\nResent-Sender", plan),
    "plan_mail, a signature": field(b"From: a@b.example\r\nDKIM-Signature: h=", plan),
    "MessageSplitter, in pieces": lambda data: fed(MessageSplitter(header_limit=1 << 20), b"A: b\r\n " + data),
    "DotReader, in pieces": lambda data: fed(DotReader(), data),
    "normalise_lines": normalise_lines,
    "BodyFolder, in pieces": lambda data: fed(BodyFolder(), data),
    "read_reply": lambda data: read_reply(550, data.split(b"\r\n")),
    "parse_duration": text(parse_duration),
    "parse_size": text(parse_size),
    "parse_network": text(parse_network),
    "parse_hours": text(lambda data: parse_hours((data,), "Europe/Berlin")),
}
MORE = {
    "short fields": b"A:\r\n",
    "digits": b"1",
    "boundaries": b"--b\r\n",
    "empty lines": b"\r\n",
    "line feeds": b"\n",
    "dots behind line feeds": b"\n.",
    "carriage returns": b"\r",
    "comments in quotes": b'"(',
    "quotes in comments": b'("',
    "quotes with a quoted quote": b'"\\" ',
    "comments with a quoted end": b"(\\)",
    "nested comments": b"((a)",
    "control characters": b"\x00",
    "letters and control characters": b"a\x00",
    "dots and control characters": b".\x00",
    "apostrophes and control characters": b"'\x00",
    "the local part and an @": b"a@",
    "the local part, an @ and umlauts": "a@\u00e4\x00\u00e4\x00 ".encode(),
    "addresses in question, in pieces": b"a@b\x00.\x00",
    "encoded words before an @": b"=?utf-8?q?a?=@",
    "encoded words that hold an @": b"=?utf-8?q?a=40b?=,",
    "encoded words that hold a quote": b'=?a?q?"',
    "encoded words that hold an @, and blanks": b"=?utf-8?q?a=40b?= ",
    "encoded words that nobody can read": b"=?x?q?a?= ",
    "encoded words, each beside an address": b"=?utf-8?q?a=40b?= <c@d>,",
    "quoted strings that hold an @": b'"a@b" ',
    "quoted strings, each beside an address": '"a@b" <c@\u00e4.example>,'.encode(),
    "routes": b'<@a,@b:"a@b"',
    "routes without an end": b'"a@b"<@a,',
}
BEGUN: dict[str, tuple[bytes, bytes, bytes]] = {
    "a comment of quoted parentheses": (b"(", b"\\(", b""),
    "a comment of quoted parentheses before another one": (b"(", b"\\(", b"("),
    "a comment of quoted parentheses before a backslash": (b"(", b"\\(", b"\\"),
    "a quoted string of quoted quotes": (b'"', b'\\"', b""),
    "a quoted string of quoted quotes before a backslash": (b'"', b'\\"', b"\\"),
    "a comment of quotes": (b"(", b'\\"', b""),
    "a quoted string with an @, then letters": (b'"a@b"', b"a", b'"a@b"'),
    "a name with an @, then blanks": (b'"a@b"', b" ", b"c@d"),
    "letters before a name with an @": (b"", b"a", b',"a@b"'),
    "a route after a name with an @": (b'"a@b"<', b"@a,", b""),
    "a comment in comments": (b"((", b"\\)", b"(")}  # fmt: skip
"""What stands once before a run and behind it: it is begun, and never ends."""


def build(begin: bytes, pattern: bytes, end: bytes) -> Callable[[int], bytes]:
    return lambda size: begin + (pattern * (size // len(pattern) + 1))[: size - size % len(pattern)] + end


BUILT = {**{run: build(b"", pattern, b"") for run, pattern in {**RUNS, **MORE}.items()},
         **{run: build(*parts) for run, parts in BEGUN.items()}}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_steps_grow_with_the_input(name: str) -> None:
    found = {run: said for run, data in BUILT.items() if (said := grows_in_line(FUNCTIONS[name], data, KIB))}
    assert found == {}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_input_stalls(name: str) -> None:
    found = {run: said for run, data in BUILT.items() if (said := stalls(FUNCTIONS[name], data(128 * KIB)))}
    assert found == {}


def test_a_line_of_a_megabyte_behind_bare_line_feeds_does_not_stall() -> None:
    reader = DotReader()
    data = (b"x" * 1_000_000 + b"\n") * 3
    assert stalls(lambda d: [reader.feed(d), reader.feed(d)], data) == ""
    assert not reader.too_long


def test_twenty_paths_full_of_routes_do_not_stall() -> None:
    def take(data: bytes) -> None:
        for _ in range(20):
            with contextlib.suppress(BadCommandError):
                parse_argument(data.decode(), "TO")

    assert stalls(take, b"TO:<" + b"@a," * 4_000 + b"x>") == ""
