"""From a mail that comes in to one that is kept: what is in the queue once the client has its 250, and what is not."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from relay.model.envelope import DsnOptions, Envelope
from relay.model.errors import StorageError
from relay.rules.address import parse_addr_spec
from relay.storage import admin
from relay.submission import IncomingMail
from tests.peers.office import CLIENT, Office, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import make_account

A, ARCHIVE = "a@example.net", "central@example.com"
TIFF_MAIL = (
    "From: sales@example.com\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n",
    b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: image/tiff; name=scan.tif\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + b"SUkqAA" + b"A" * 54 + b"\r\n--b--\r\n",
)


def queue_id_of(reply: object) -> str:
    return str(reply).split()[-1]


async def test_what_the_client_is_told_is_in_the_queue(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        with capture_logs() as lines:
            reply = await office.hand_in(A, "b@example.net")
        assert reply.code == 250
        queue_id = queue_id_of(reply)
        detail = admin.show_message(office.engine, queue_id)
        assert (detail.rule, detail.account, detail.user) == ("1a", "sales", "anna")
        assert detail.sender == "sales@example.com"
        assert "Rule 1a" in detail.why
        assert [r.address for d in detail.deliveries for r in d.recipients] == [A, "b@example.net", ARCHIVE]
        (line,) = [line for line in lines if line["event"] == "message_accepted"]
        told: dict[str, object] = {
            "queue_id": queue_id,
            "client": "192.0.2.9",
            "user": "anna",
            "rule": "1a",
            "account": "sales",
        }
        told |= {"sender_before": "sales@example.com", "sender_after": "sales@example.com", "archive": [ARCHIVE]}
        assert {key: line[key] for key in told} == told


async def test_a_refusal_keeps_nothing_and_says_why(tmp_path: Path) -> None:
    async with open_office(tmp_path, account={"excluded": True}) as office:
        with capture_logs() as lines:
            reply = await office.hand_in(A, body=[b"x" * 300_000, b"y"])
        assert (reply.code, reply.enhanced) == (550, "5.7.1")
        assert "sales" in reply.text
        assert office.waiting("queued", "active", "held", "done") == []
        (line,) = [line for line in lines if line["event"] == "message_rejected"]
        assert (line["reason"], line["code"], line["account"]) == ("excluded", 550, "sales")


async def test_a_mail_in_circles_is_refused(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        reply = await office.hand_in(A, header="Relay-Loop: relay.office.example\n" * 4 + "From: sales@example.com\n")
        assert (reply.code, reply.enhanced) == (554, "5.4.6")


async def test_the_archive_is_the_last_recipient_and_not_twice(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        for to in ([ARCHIVE.upper()], [A, ARCHIVE]):
            detail = admin.show_message(office.engine, queue_id_of(await office.hand_in(*to)))
            assert [r.kind for d in detail.deliveries for r in d.recipients] == ["to"] * len(to)
        detail = admin.show_message(office.engine, queue_id_of(await office.hand_in(A)))
        assert [(r.address, r.kind) for r in detail.deliveries[0].recipients] == [(A, "to"), (ARCHIVE, "archive")]
        detail = admin.show_message(office.engine, queue_id_of(await office.hand_in(A, reverse_path=None)))
        assert [r.kind for r in detail.deliveries[0].recipients] == ["to"]


async def test_equal_recipients_are_one(tmp_path: Path) -> None:
    async with open_office(tmp_path, archive=["central@bücher.example"]) as office:
        to = [A, "A@EXAMPLE.NET", '"a"@example.net', "central@xn--bcher-kva.example", "b@example.net", A]
        dsn_options = tuple(DsnOptions(notify=notify) for notify in ("NEVER", "", "", "", "DELAY", "SUCCESS"))
        with capture_logs() as lines:
            queue_id = queue_id_of(await office.hand_in(*to, dsn_options=dsn_options))
        detail = admin.show_message(office.engine, queue_id)
        expected = [A, "central@xn--bcher-kva.example", "b@example.net"]
        assert [(r.address, r.kind) for d in detail.deliveries for r in d.recipients] == [(a, "to") for a in expected]
        (line,) = [line for line in lines if line["event"] == "message_accepted"]
        assert line["recipients"] == expected


async def test_recipients_are_split_as_the_account_wants(tmp_path: Path) -> None:
    async with open_office(tmp_path, account={"smtp": {"recipients_per_message": 2}}) as office:
        queue_id = queue_id_of(await office.hand_in(*(f"n{n}@example.net" for n in range(5))))
        detail = admin.show_message(office.engine, queue_id)
        assert sorted([r.n for r in d.recipients] for d in detail.deliveries) == [[0, 1], [2, 3], [4, 5]]


async def test_the_archived_version_is_a_delivery_of_its_own_only_if_it_differs(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        office.settings = replace(office.settings, archive=replace(office.settings.archive, strip_tiff=True))
        header, body = TIFF_MAIL
        with capture_logs() as lines:
            queue_id = queue_id_of(await office.hand_in(A, header=header, body=[body]))
            await office.send()
        assert "tiff_stripped" in [line["event"] for line in lines]
        versions = {
            d.version: [r.address for r in d.recipients] for d in admin.show_message(office.engine, queue_id).deliveries
        }
        assert versions == {0: [A], 1: [ARCHIVE]}
        by_recipient = {mail.recipients[0]: mail.data for mail in provider.mails}
        assert by_recipient[A].endswith(body)
        assert b"image/tiff" not in by_recipient[ARCHIVE]
        assert b"scan.tif" in by_recipient[ARCHIVE]
        plain = admin.show_message(office.engine, queue_id_of(await office.hand_in(A)))
        assert len(plain.deliveries) == 1


async def test_others_have_their_turns_while_a_chunk_is_stripped(tmp_path: Path) -> None:
    """Of a chunk that is full of small parts, stripping took 0.2 s in one go."""
    async with open_office(tmp_path) as office:
        office.settings = replace(office.settings, archive=replace(office.settings.archive, strip_tiff=True))
        envelope = Envelope(reverse_path=parse_addr_spec(A), recipients=(parse_addr_spec(A),))
        incoming = office.submission.begin(envelope, CLIENT, show_client=False)
        await incoming.header(TIFF_MAIL[0].replace("\n", "\r\n").encode())
        turns, ended = 0, False

        async def count() -> None:
            nonlocal turns
            while not ended:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(count())
        chunk = TIFF_MAIL[1].removesuffix(b"--b--\r\n") + (b"--b\r\nContent-Type: image/png\r\n\r\n" * 7_000)[:250_000]
        await incoming.body(chunk)
        assert turns >= len(chunk) // 32_768
        ended = True
        await other
        await incoming.body(b"\r\n--b--\r\n")
        await incoming.abort()


@pytest.mark.parametrize("size", [1, 100, 32_768, 1 << 18])
async def test_what_is_stripped_does_not_depend_on_the_chunks(tmp_path: Path, size: int) -> None:
    header, body = TIFF_MAIL
    tiff = body[body.index(b"--b\r\nContent-Type: image") : -len(b"--b--\r\n")]
    whole = body.replace(b"--b--", b"--b\r\n\r\n" + b"x" * 40_000 + b"\r\n" + tiff * 300 + b"--b--")
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        office.settings = replace(office.settings, archive=replace(office.settings.archive, strip_tiff=True))
        if size < 1000:
            whole = body
        await office.hand_in(A, header=header, body=[whole[n : n + size] for n in range(0, len(whole), size)])
        await office.send()
        (copy,) = [mail.data for mail in provider.mails if ARCHIVE in mail.recipients]
        assert b"image/tiff" not in copy
        assert copy.count(b"Attachment removed: scan.tif") == whole.count(b"image/tiff")


async def test_the_note_in_place_of_a_tiff_is_in_the_language_of_the_office(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        archive = replace(office.settings.archive, strip_tiff=True)
        office.settings = replace(office.settings, archive=archive, language="de")
        header, body = TIFF_MAIL
        await office.hand_in(A, header=header, body=[body])
        await office.send()
        (copy,) = [mail.data for mail in provider.mails if ARCHIVE in mail.recipients]
        assert b"Anhang entfernt: scan.tif" in copy


async def test_the_providers_size_is_told_at_once_where_it_is_known(tmp_path: Path) -> None:
    async with Provider({"EHLO": "SIZE 2000\nPIPELINING"}) as provider, open_office(tmp_path, port=provider.port) as o:
        await o.hand_in(A)
        await o.send()
        reply = await o.hand_in(A, body=[b"x" * 3000])
        assert (reply.code, reply.enhanced) == (552, "5.3.4")
        assert len(provider.mails) == 1


async def test_a_database_that_fails_accepts_nothing_and_frees_the_slot(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        with office.engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER refuse BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        for _ in range(5):
            with pytest.raises(StorageError):
                await office.hand_in(A)
        with office.engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER refuse")
        await office.hand_in(A)
        await office.send()
        assert len(provider.mails) == 1


async def test_an_aborted_mail_leaves_nothing(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        incoming = await _begin(office)
        for _ in range(3):
            await incoming.body(b"x" * 262_144)
        await incoming.abort()
        with office.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM content").scalar() == 0


async def _begin(office: Office) -> IncomingMail:
    envelope = Envelope(reverse_path=None, recipients=(parse_addr_spec(A),))
    incoming = office.submission.begin(envelope, CLIENT, show_client=False)
    await incoming.header(b"From: sales@example.com\r\n")
    return incoming


async def test_postmaster_is_the_postmasters_profile_address(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        assert str(office.submission.directory.postmaster_address) == "anna@example.com"


async def test_several_accounts_each_keep_their_own(tmp_path: Path) -> None:
    accounts = [make_account("sales", 9), make_account("support", 9)]
    async with open_office(tmp_path, accounts=accounts) as office:
        for sender in ("sales@example.com", "support@example.com"):
            await office.hand_in(A, sender=sender)
        assert sorted(row.account for row in office.waiting()) == ["sales", "support"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(chunks=st.lists(st.binary(min_size=1, max_size=50), max_size=5), header=st.binary(max_size=80))
async def test_any_body_is_kept_whole(tmp_path: Path, chunks: list[bytes], header: bytes) -> None:
    block = header.replace(b"\r", b"").replace(b"\n", b"").decode("latin-1")
    async with open_office(tmp_path, schedule={"active": ["Mon 00:00-00:01"]}) as office:
        reply = await office.hand_in(A, header=f"From: sales@example.com\nX: {block}\n", body=chunks)
        kept = b"".join([chunk async for chunk in office.queue.chunks(queue_id_of(reply), 0)])
        assert kept == b"".join(chunks)
