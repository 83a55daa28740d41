"""Every message of CPython's own test data goes through: the body byte for byte, of the header only what may differ."""

import contextlib
import email.parser
import email.policy
import importlib.util
import re
import smtplib
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.peers.machine import lack
from tests.peers.recorder import Recorder
from tests.peers.relay_process import RelayProcess, make_account, write_config
from tests.peers.sink import ReceivedMail, Sink

pytestmark = pytest.mark.peer


def _find_messages() -> list[Path]:
    if importlib.util.find_spec("test") is None or (found := importlib.util.find_spec("test.test_email")) is None:
        return []
    return [
        path for folder in found.submodule_search_locations or () for path in Path(folder, "data").glob("msg_*.txt")
    ]


_MESSAGES = sorted(_find_messages())
_REMOVED = {"bcc", "resent-bcc", "return-path"}
_ADDED = {"received", "relay-loop", "message-id", "date"}
_REWRITTEN = {"from", "resent-from", "reply-to", "sender"}

Fields = list[tuple[str, bytes]]
Deliver = Callable[[bytes, str], ReceivedMail]


@pytest.fixture(scope="module", params=["smtp-sink", "recorder"])
def deliver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Deliver]:
    """Hand a mail to the relay and give what the provider got for its recipient."""
    with contextlib.ExitStack() as stack:
        provider: Sink | Recorder = Sink() if request.param == "smtp-sink" else Recorder()
        stack.enter_context(provider)
        folder = tmp_path_factory.mktemp("bytes")
        config = write_config(folder, accounts=[make_account("sales", provider.port)], archive=[])
        relay = stack.enter_context(RelayProcess(config))
        smtp = stack.enter_context(smtplib.SMTP("127.0.0.1", relay.port, timeout=20))
        smtp.ehlo()

        def deliver(data: bytes, recipient: str) -> ReceivedMail:
            smtp.sendmail("anna@example.com", [recipient], data, mail_options=["BODY=8BITMIME"])
            accepted = relay.find("message_accepted")[-1]
            relay.wait_for("message_delivered", queue_id=accepted["queue_id"])
            (mail,) = [mail for mail in provider.mails if recipient in mail.recipients]
            return mail

        yield deliver
        if isinstance(provider, Recorder):
            bare = [data for data in provider.wire if re.search(rb"(?<!\r)\n|\r(?!\n)", data)]
            assert not bare, "a line end that is not CRLF went out"


def test_python_ships_its_messages() -> None:
    if not _MESSAGES:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        lack(f"needs CPython's own tests (test.test_email), from the package libpython{version}-testsuite")


@pytest.mark.parametrize("path", _MESSAGES, ids=lambda path: path.stem)
def test_a_message_goes_through_unharmed(path: Path, deliver: Deliver) -> None:
    original = re.sub(rb"\r\n|\r|\n", b"\n", path.read_bytes())
    received = deliver(original.replace(b"\n", b"\r\n"), f"{path.stem}@example.net")

    before, body = _read_as_python(original)
    after, _ = _read_as_python(received.header + b"\n")
    assert received.body == (body if body.endswith(b"\n") or not body else body + b"\n")
    _check_header(before, after)


def _read_as_python(message: bytes) -> tuple[Fields, bytes]:
    if message.startswith(b"From "):
        message = message.partition(b"\n")[2]  # a mailbox's separator is no part of the mail
    parsed = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(message)
    fields = [(name.lower(), _bytes(value).strip()) for name, value in parsed.raw_items()]
    return fields, _bytes(parsed.get_payload())


def _bytes(text: object) -> bytes:
    return str(text).encode("ascii", "surrogateescape")


def _check_header(before: Fields, after: Fields) -> None:
    names = [name for name, _ in before]
    resent = any(name.startswith("resent-") for name in names)
    rewritten = _REWRITTEN - ({"from"} if resent else set())
    kept = [field for field in before if field[0] not in _REMOVED | rewritten]
    added = [name for name in _ADDED if name not in names or name == "received"]

    rest = list(after)
    for name in added:
        position = next(n for n, field in enumerate(rest) if field[0] == name)
        del rest[position]
    assert [field for field in rest if field[0] not in rewritten] == kept

    sender = "resent-from" if resent else "from"
    assert [b"sales@example.com" in value for name, value in after if name == sender] == [True]
    assert {name for name, _ in rest if name in rewritten} <= {*names, "from", "reply-to"}
