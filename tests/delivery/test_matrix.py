"""Every row of the matrix, against a provider that does what the row says; and the page that is made of the rows."""

import itertools
import shutil
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from relay.model.errors import StorageError
from relay.model.mail import Settlement
from relay.storage import admin
from relay.storage.engine import open_engine
from relay.storage.upgrade import prepare_database
from relay.transports import maildir
from relay.upstream.transaction import Timeouts
from tests.delivery.faults import (
    KEYS,
    REASONS,
    answers,
    deaf_port,
    has_reason,
    is_implicit,
    plain_name,
    tls_context,
    uses_tls,
)
from tests.delivery.matrix import DOCUMENT, IN_THE_TRANSACTION, INBOX, REFUSED, ROWS, Outcome, write_document
from tests.peers.machine import free_port
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import ANNA

pytestmark = pytest.mark.peer

A = "a@example.net"
USERS = [{**ANNA, "notify": "inbox"}, {"name": "pm", "address": "pm@example.com", "notify": "inbox"}]
SERVER = {"hostname": "relay.office.example", "postmaster": "pm"}
RETRY = {"intervals": ["1 min", "5 min"], "give_up_after": "1 h", "warn_after": "30 min"}
WATCHED = {
    "message_delivered", "delivery_deferred", "message_bounced", "delivery_held", "possible_duplicate", "archive_split",
    "notice_queued", "account_paused", "account_unreachable", "account_slowed", "provider_asks_for_less",
    "sender_refused", "body_sent_unannounced", "activity_failed",
}  # fmt: skip
PATIENT = Timeouts(connect=10, command=10, data=10, progress=10, final=10, quit=10)
_LIMITS = {"MAIL": "command", "RCPT": "command", "DATA": "data", "the mail": "progress", "the final dot": "final",
           "QUIT": "quit"}  # fmt: skip
"""Of a step at which the provider falls silent, the timeout that ends it; of the others it is that of connecting."""
_WAITS = ("silen", "never ends", "any more", "says nothing", "not even accept")


@dataclass(frozen=True)
class Way:
    """How a row is run."""

    name: str
    pipelined: bool = False
    archive: bool = False


ONE_BY_ONE = Way("one by one")
WAYS = (ONE_BY_ONE, Way("pipelined", pipelined=True), Way("with the blind copy", pipelined=True, archive=True))
CASES = [
    pytest.param(row, way, id=f"{row[0]}-{row[1]}-{way.name}")
    for row in ROWS
    for way in (WAYS if row[0] in IN_THE_TRANSACTION else (ONE_BY_ONE,))
]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty database once: that takes longer than most of the rows."""
    file = tmp_path_factory.mktemp("matrix") / "relay.db"
    engine = open_engine(f"sqlite:///{file}")
    prepare_database(engine)
    engine.dispose()
    return file


@pytest.mark.parametrize(("row", "way"), CASES)
async def test_a_row(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    authority: trustme.CA,
    database: Path,
    row: tuple[str, str, Outcome],
    way: Way,
) -> None:
    step, fault, expected = row
    shutil.copy(database, tmp_path)
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(_provider(authority, step, fault, way))
        account = _account(tmp_path, authority, step, fault, provider.port)
        if fault == REFUSED:
            account["smtp"]["port"] = free_port()
        elif fault == "does not even accept the connection":
            account["smtp"] |= {"host": "127.0.0.1", "port": stack.enter_context(deaf_port())}
        elif fault == "has a name that is not found":
            account["smtp"]["host"] = _hide_a_name(monkeypatch)
        if not way.archive:
            account["archive"] = False
        office = await stack.enter_async_context(open_office(tmp_path, account=account, users=USERS, server=SERVER))
        short = {_LIMITS.get(step, "connect"): 0.3} if any(word in fault for word in _WAITS) else {}
        office.shorten_timeouts(replace(PATIENT, **short))
        with capture_logs() as lines:
            queue_id = await _hand_in(office, step, fault)
            await office.send()
            if "second" in fault:
                lines.clear()
                await office.pass_time(10 * MINUTE)
            told = {user: len(office.inbox(user)) for user in ("anna", "pm")}
            found = _found(office, queue_id)
            await office.delivery.drain(1)
        assert found == (expected.mail, expected.again)
        assert told["anna"] == bool(expected.user)
        assert told["pm"] == bool(expected.postmaster) or (way.archive and told["pm"] > bool(expected.postmaster))
        events = sorted(line["event"] for line in lines if line["event"] in WATCHED)
        assert set(expected.events) <= set(events) if way.archive else events == sorted(expected.events)
        _assert_the_fault_came(step, fault, provider, [line["reply"] for line in lines if "reply" in line])


@pytest.mark.parametrize("row", INBOX)
async def test_a_row_of_an_inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str) -> None:
    async with (
        Provider({f"RCPT {A}": "550 5.1.1 no"}) as provider,
        open_office(tmp_path, port=provider.port, account={"archive": False}, retry=RETRY) as office,
    ):
        with capture_logs() as lines:
            if "not a folder" in row or "longer" in row:
                office.settings.inboxes.write_text("in the way")
            elif "full" in row:
                monkeypatch.setattr(maildir, "deliver", _fill_the_disk)
            elif "settlement failed" in row:
                _lose_the_second_settlement(office, monkeypatch)
            await office.hand_in(A)
            await office.send()
            for _ in range(20 if "longer" in row else "settlement failed" in row):  # the lane rests after a fault
                await office.pass_time(5 * MINUTE)
        waiting = [row for row in office.waiting() if row.account == ""]
        found = waiting[0].state if waiting else "delivered"
        again = f"{round((waiting[0].due - office.now) / MINUTE)} min" if waiting else ""
        assert (found, again) == (INBOX[row].mail, INBOX[row].again)
        events = {line["event"] for line in lines} & {*WATCHED, "inbox_delivered"}
        assert events - {"message_bounced", "notice_queued"} == set(INBOX[row].events)
        assert office.waiting("held") == []
        assert len(office.inbox()) == (0 if waiting else 1)


def _fill_the_disk(*_arguments: object, **_named: object) -> Path:
    raise StorageError("No space left on device")


def _lose_the_second_settlement(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first settlement of the notice (behind that of the mail) fail before it is written."""
    settle, calls = office.queue.settle, itertools.count(1)

    async def lose(settlement: Settlement) -> bool:
        if next(calls) == 2:
            raise ZeroDivisionError("a fault of ours")
        return await settle(settlement)

    monkeypatch.setattr(office.queue, "settle", lose)


def test_the_page_is_made_of_the_rows() -> None:
    assert DOCUMENT.read_text() == write_document(), "run: python -m tests.delivery.matrix"


def _assert_the_fault_came(step: str, fault: str, provider: Provider, replies: Sequence[str]) -> None:
    if plain_name(fault) in REASONS:
        assert has_reason(plain_name(fault), list(replies))
    else:
        assert (KEYS[step][0] if step in KEYS else "EHLO") in provider.reached
    tries = sum(command.startswith("AUTH") for command in provider.commands)
    assert tries <= provider.connections  # never two logins in one attempt


def _found(office: Office, queue_id: str) -> tuple[str, str]:
    """Give where the mail stands for its real recipient, and when it is tried again."""
    detail = admin.show_message(office.engine, queue_id)
    (delivery,) = [one for one in detail.deliveries if any(r.address == A for r in one.recipients)]
    if delivery.state == "done" or office.outcomes(queue_id)[A] != "pending":
        return office.outcomes(queue_id)[A], ""
    if delivery.state == "held":
        return "held", ""
    if any(True for _ in office.delivery._pauses):
        return delivery.state, "when the login works again"
    minutes = (delivery.due - office.now) / MINUTE
    return delivery.state, {1: "1 min", 5: "5 min"}.get(round(minutes), f"{minutes:.1f} min")


async def _hand_in(office: Office, step: str, fault: str) -> str:
    body = b"hello\r\n"
    if step == "the mail":
        body *= 1_000_000  # more than all buffers on the way hold
    if "8BITMIME" in fault:
        body += "über\r\n".encode()
    header = None
    if "SMTPUTF8" in fault:
        header = "From: sales@example.com\nSubject: ä\n"
    chunks = [body[i : i + 262_144] for i in range(0, len(body), 262_144)]
    reply = await office.hand_in(A, body=chunks, header=header, smtputf8="SMTPUTF8" in fault)
    assert reply.code == 250, reply
    return reply.text.split()[-1]


def _provider(authority: trustme.CA, step: str, fault: str, way: Way) -> Provider:
    implicit = is_implicit(fault) and not fault.startswith(("speaks without", "resets"))
    return Provider(
        answers(step, plain_name(fault) if step == "TLS" else fault, pipelined=way.pipelined),
        context=tls_context(authority, fault) if uses_tls(step, fault) else None,
        implicit_tls=implicit,
        buffer=65_536,
    )


def _account(folder: Path, authority: trustme.CA, step: str, fault: str, port: int) -> dict[str, Any]:
    smtp: dict[str, Any] = {"host": "localhost", "port": port, "security": "none"}
    if uses_tls(step, fault):
        authority.cert_pem.write_to_path(folder / "ca.pem")
        smtp |= {"security": "tls" if is_implicit(fault) else "starttls", "ca_file": "ca.pem"}
    if step == "AUTH" or fault.startswith("offers no login") or fault.endswith("behind a login"):
        smtp |= {"username": "sales", "password": "secret"}
    return {"smtp": smtp}


def _hide_a_name(monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a name that is not found, without asking anybody outside."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - as the original has it
        if host == "nowhere.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return "nowhere.example"
