"""Every row of the matrix, against a server that does what the row says; and the page that is made of the rows."""

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from relay.upstream.transaction import Timeouts
from tests.delivery.matrix import DOCUMENT, ROWS, Outcome, script, write_document
from tests.peers.dialogue import Dialogue
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.relay_process import ANNA

pytestmark = pytest.mark.peer

A = "a@example.net"
USERS = [{**ANNA, "notify": "inbox"}, {"name": "pm", "address": "pm@example.com", "notify": "inbox"}]
WATCHED = {
    "message_delivered", "delivery_deferred", "message_bounced", "delivery_held", "possible_duplicate", "archive_split",
    "notice_queued", "account_paused", "account_unreachable", "account_slowed", "provider_asks_for_less",
    "sender_refused", "body_sent_unannounced", "activity_failed",
}  # fmt: skip
PATIENT = Timeouts(connect=10, command=10, data=10, progress=10, final=10, quit=10)
QUICK = Timeouts(connect=0.25, command=0.25, data=0.25, progress=0.25, final=0.25, quit=0.1)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize(("step", "fault", "expected"), ROWS, ids=lambda value: value if isinstance(value, str) else "")
async def test_a_row(tmp_path: Path, authority: trustme.CA, step: str, fault: str, expected: Outcome) -> None:
    scripts = [script(step, fault)] * (2 if "second" in fault else 1)
    slow = "silen" in fault or "never ends" in fault or "any more" in fault
    async with Dialogue(
        *scripts, buffer=65_536, context=_context(authority, fault) if step in ("STARTTLS", "TLS") else None
    ) as server:
        account = _account(tmp_path, authority, step, fault, 9 if "refuses" in fault else server.port)
        async with open_office(
            tmp_path, account=account, users=USERS, server={"hostname": "relay.office.example", "postmaster": "pm"}
        ) as office:
            office.hurry_up(QUICK if slow else PATIENT)
            with capture_logs() as lines:
                queue_id = await _hand_in(office, step, fault)
                await office.send()
                if "second" in fault:
                    lines.clear()
                    await office.pass_time(10 * MINUTE)
            told = {user: len(office.inbox(user)) for user in ("anna", "pm")}
            await office.delivery.drain(1)
            assert _found(office, queue_id) == (expected.mail, expected.again)
            assert told == {"anna": bool(expected.user), "pm": bool(expected.postmaster)}
            events = sorted(line["event"] for line in lines if line["event"] in WATCHED)
            assert events == sorted(expected.events)
        server.faults.clear()  # of what it would have heard after the fault


def test_the_page_is_made_of_the_rows() -> None:
    assert DOCUMENT.read_text() == write_document(), "run: python -m tests.delivery.matrix"


def _found(office: Office, queue_id: str) -> tuple[str, str]:
    if not office.waiting():
        return office.outcomes(queue_id)[A], ""
    (row,) = [row for row in office.waiting() if row.message_id == queue_id]
    if row.state == "held":
        return "held", ""
    if any(True for _ in office.delivery._pauses):
        return row.state, "when the login works again"
    minutes = (row.due - office.now) / MINUTE
    return row.state, {1: "1 min", 5: "5 min"}.get(round(minutes), f"{minutes:.1f} min")


async def _hand_in(office: Office, step: str, fault: str) -> str:
    body, to = b"hello\r\n", A
    if step == "the mail":
        body *= 3_000_000  # more than all buffers on the way hold
    if "8BITMIME" in fault:
        body += "über\r\n".encode()
    header = None
    if "SMTPUTF8" in fault:
        header = "From: sales@example.com\nSubject: ä\n"
    chunks = [body[i : i + 262_144] for i in range(0, len(body), 262_144)]
    reply = await office.hand_in(to, body=chunks, header=header, smtputf8="SMTPUTF8" in fault)
    assert reply.code == 250, reply
    return reply.text.split()[-1]


def _account(folder: Path, authority: trustme.CA, step: str, fault: str, port: int) -> dict[str, Any]:
    smtp: dict[str, Any] = {"host": "localhost", "port": port, "security": "none"}
    if step in ("STARTTLS", "TLS"):
        authority.cert_pem.write_to_path(folder / "ca.pem")
        smtp |= {"security": "starttls", "ca_file": "ca.pem"}
    if step == "AUTH" or fault.startswith("offers no login"):
        smtp |= {"username": "sales", "password": "secret"}
    return {"archive": False, "smtp": smtp}


def _context(authority: trustme.CA, fault: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    over = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    if "unknown authority" in fault:
        authority = trustme.CA()
    name = "elsewhere.example" if "another name" in fault else "localhost"
    leaf = authority.issue_cert(name, not_after=over) if "is over" in fault else authority.issue_cert(name)
    leaf.configure_cert(context)
    return context
