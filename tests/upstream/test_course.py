"""What a connection shows on its way is told: the time of each step, TLS, the certificate's end, the server's clock."""

import asyncio
import datetime as dt
from email.utils import format_datetime

import pytest

from relay.model.account import Security, SmtpServer
from relay.upstream.course import Course, Step
from relay.upstream.smarthost import connect
from tests.peers.dialogue import Dialogue
from tests.upstream.conftest import QUICK, Authority

NAMES = {"connect": "connect", "ehlo": "greeting", "starttls": "STARTTLS", "auth": "log in"}
NOW = dt.datetime.now(dt.UTC)


async def course_to(script: str, context: object = None, ca_file: str | None = None, *, verify: bool = True) -> Course:
    course = Course(lambda _: None, NAMES)
    async with Dialogue(script, context=context) as server:  # type: ignore[arg-type]
        where = SmtpServer(
            host="127.0.0.1",
            port=server.port,
            security=Security.NONE if context is None else Security.STARTTLS,
            ca_file=ca_file,
            verify=verify,
        )
        connection = await connect(where, hostname="x", credential=None, timeouts=QUICK, passed=course.witness)
        await connection.close()
    return course


HELLO = "S: 220 {0}\nC: EHLO .*\nS: 250 x\n"
BYE = "C: QUIT\nS: 221 bye"
TLS = "S: 220 hi\nC: EHLO .*\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n! tls\nC: EHLO .*\nS: 250 x\n"


async def test_each_step_is_told_when_it_ends_with_its_time() -> None:
    told: list[Step] = []
    course = Course(told.append, NAMES)
    await asyncio.sleep(0.01)
    course.end("connect")
    assert [step.name for step in told] == ["connect"]
    assert 0.01 <= told[0].seconds < 5
    assert course.end("greeting", seconds=7) == told
    assert told[1].seconds == 7


@pytest.mark.parametrize(
    ("days", "warns"), [(400, False), (20, False), (8, True)], ids=["long", "in time", "nobody renews it"]
)
async def test_tls_and_the_end_of_the_certificate_are_told(authority: Authority, days: int, *, warns: bool) -> None:
    context = authority.server(
        not_before=NOW - dt.timedelta(days=300), not_after=NOW + dt.timedelta(days=days, hours=1)
    )
    steps = (await course_to(TLS + BYE, context, str(authority.ca_file))).steps
    assert [step.name for step in steps] == ["connect", "greeting", "STARTTLS"]
    assert steps[0].text == "127.0.0.1"
    assert steps[1].text == "hi"
    assert steps[2].text.startswith(f"TLSv1.3; certificate good for {days} days, until 20")
    assert steps[2].warns is warns
    assert ("provider must renew it" in steps[2].advice) is warns


async def test_a_certificate_that_lives_for_some_days_is_young_at_six(authority: Authority) -> None:
    context = authority.server(not_before=NOW - dt.timedelta(hours=1), not_after=NOW + dt.timedelta(days=6))
    assert not any(step.warns for step in (await course_to(TLS + BYE, context, str(authority.ca_file))).steps)


async def test_one_that_has_ended_and_is_not_verified_is_told_as_such(authority: Authority) -> None:
    context = authority.server(not_before=NOW - dt.timedelta(days=9), not_after=NOW - dt.timedelta(days=2))
    steps = (await course_to(TLS + BYE, context, verify=False)).steps
    assert "certificate has ended on" in steps[-1].text


@pytest.mark.parametrize(("hours", "warns"), [(0, False), (1, True), (-1, True)])
async def test_the_servers_clock_is_compared_where_it_tells_it(hours: int, *, warns: bool) -> None:
    there = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours))
    steps = (await course_to(HELLO.format(f"mx ready at {there}") + BYE)).steps
    assert steps[-1].name == "clock"
    assert steps[-1].warns is warns
    assert ("Set this machine's clock" in steps[-1].advice) is warns
