"""The options of RFC 3461: what is told of success, failure and delay, and what is left to the provider."""

import email
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from relay.model.envelope import DsnOptions
from relay.storage import admin
from tests.peers.office import open_office
from tests.peers.provider import Provider

A, B = "a@example.net", "b@example.net"
WITH_DSN = {"EHLO": "PIPELINING\nSIZE 10000000\n8BITMIME\nSMTPUTF8\nDSN"}


async def test_a_provider_with_dsn_gets_the_wishes_and_confirms_itself(tmp_path: Path) -> None:
    async with Provider(WITH_DSN) as provider, open_office(tmp_path, port=provider.port) as office:
        dsn_options = (DsnOptions(notify="SUCCESS,DELAY", orcpt="rfc822;x+2By@example.net"), DsnOptions())
        await office.hand_in(A, B, dsn_options=dsn_options, ret="HDRS", envelope_id="QQ+2B7")
        await office.send()
        said = [command for command in provider.commands if command.startswith(("MAIL", "RCPT"))]
        assert said[0].endswith(" RET=HDRS ENVID=QQ+2B7")
        assert said[1] == f"RCPT TO:<{A}> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@example.net"
        assert said[2] == f"RCPT TO:<{B}>"
        assert office.inbox() == []


async def test_where_the_provider_confirms_nothing_we_say_that_it_was_handed_over(tmp_path: Path) -> None:
    async with Provider() as provider, open_office(tmp_path, port=provider.port) as office:
        dsn_options = (DsnOptions(notify="SUCCESS", orcpt="rfc822;x+2By@example.net"), DsnOptions())
        queue_id = (await office.hand_in(A, B, dsn_options=dsn_options, envelope_id="QQ+2B7")).text.split()[-1]
        await office.send()
        assert not [command for command in provider.commands if "NOTIFY" in command or "ENVID" in command]
        (notice,) = office.inbox()
        blocks = list(email.message_from_bytes(notice).walk())
        assert [block["Original-Envelope-Id"] for block in blocks if block["Reporting-MTA"]] == ["QQ+7"]
        (status,) = [block for block in blocks if block["Action"]]
        assert (status["Action"], status["Final-Recipient"]) == ("relayed", f"rfc822; {A}")
        assert status["Original-Recipient"] == "rfc822; x+y@example.net"
        detail = admin.show_message(office.engine, queue_id)
        assert [admin.show_message(office.engine, one).about for one in detail.notices] == [queue_id]


@pytest.mark.parametrize("notify", ["NEVER", "SUCCESS", "DELAY"])
async def test_who_wants_no_notice_of_failure_gets_none(tmp_path: Path, notify: str) -> None:
    async with (
        Provider({"RCPT": "550 5.1.1 no"}) as provider,
        open_office(tmp_path, port=provider.port, account={"archive": False}) as office,
    ):
        with capture_logs() as lines:
            queue_id = (
                await office.hand_in(A, B, dsn_options=(DsnOptions(notify=notify), DsnOptions(notify=notify)))
            ).text.split()[-1]
            await office.send()
        assert office.outcomes(queue_id) == {A: "bounced", B: "bounced"}
        assert office.inbox() == []
        assert "notice_dropped" in [line["event"] for line in lines]


async def test_one_notice_tells_of_all_that_failed_at_once_and_of_nobody_else(tmp_path: Path) -> None:
    answers = {f"RCPT {A}": "550 5.1.1 no", f"RCPT {B}": "552 5.2.2 full", "RCPT late@example.net": "450 4.2.0 later"}
    async with Provider(answers) as provider, open_office(tmp_path, port=provider.port) as office:
        dsn_options = (DsnOptions(), DsnOptions(), DsnOptions(), DsnOptions(notify="NEVER"), DsnOptions())
        await office.hand_in(
            A, "late@example.net", "c@example.net", "d@example.net", "e@example.net", dsn_options=dsn_options
        )
        await office.send()
        (notice,) = office.inbox()
        assert [part["Final-Recipient"] for part in email.message_from_bytes(notice).walk() if part["Action"]] == [
            f"rfc822; {A}"
        ]


@pytest.mark.parametrize(("ret", "whole"), [("", True), ("FULL", True), ("HDRS", False)])
async def test_ret_chooses_what_comes_back(tmp_path: Path, ret: str, whole: bool) -> None:
    async with Provider({f"RCPT {A}": "550 5.1.1 no"}) as provider, open_office(tmp_path, port=provider.port) as office:
        await office.hand_in(A, ret=ret)
        await office.send()
        (notice,) = office.inbox()
        types = [part.get_content_type() for part in email.message_from_bytes(notice).walk()]
        assert ("message/rfc822" in types) is whole
        assert ("text/rfc822-headers" in types) is not whole
