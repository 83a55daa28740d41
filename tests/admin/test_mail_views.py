"""The list of mails is never better than the truth, and can be read and copied at 80 columns.

What programs read of it has one name for one thing, and those of the log.
"""

import asyncio
import datetime as dt
import re
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from relay.admin.mail_views import accounts_of_attempts
from relay.model.reply import Reply
from relay.rules.state_words import say_cause
from relay.storage.admin import AttemptRow, DeliveryRow, EventRow, MessageDetail
from tests.cli.conftest import Run, answer, change, copy_to_archive, hand_in

pytestmark = pytest.mark.usefixtures("both_ways")

UTC = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
UNKNOWN = "550 5.1.1 unknown"
OK = "250 2.0.0 Ok"
CAUSE = say_cause(Reply(code=550, enhanced="5.1.1", text="unknown"), "en")
FULL = say_cause(Reply(code=452, enhanced="4.2.2", text="over quota"), "en")


@pytest.fixture
def mails(config: Path) -> dict[str, str]:
    """One mail of each kind, by what became of it; the newest last."""
    names = ["failed", "delivered", "partly", "tried", "held", "fresh", "gone"]
    ids = asyncio.run(hand_in(config, names, to=2))
    found = dict(zip(names, ids, strict=True))
    answer(config, found["failed"], [("bounced", UNKNOWN)] * 2)
    copy_to_archive(config, found["failed"], "delivered", OK)
    answer(config, found["delivered"], [("delivered", OK)] * 2)
    copy_to_archive(config, found["delivered"], "bounced", "554 no archive here")
    answer(config, found["partly"], [("delivered", OK), ("bounced", UNKNOWN)])
    later = time.time_ns() // 1_000_000 + 600_000
    answer(config, found["tried"], [("delivered", OK), ("pending", "452 4.2.2 over quota")], state="queued", due=later)
    answer(config, found["held"], [("pending", "")] * 2, state="held")
    change(config, "UPDATE delivery SET uncertain = 2 WHERE message_id = ?", found["held"])
    return found


def lines_of(run: Run, *arguments: str) -> dict[str, str]:
    lines = run("queue", "list", *arguments).out.splitlines()[1:]
    return {line[:26]: line[26:] for line in lines if line[:2] == "01"}


def test_a_bounced_mail_never_looks_delivered(run: Run, mails: dict[str, str]) -> None:
    run("queue", "delete", "--yes", mails["gone"])
    told = lines_of(run, "--all")
    assert list(told) == [*mails.values()][::-1]  # the newest first
    for name, words in (
        ("failed", f"not delivered: {CAUSE}"),
        ("delivered", "handed over to the provider; blind copy not delivered"),
        ("partly", f"not delivered to all: {CAUSE}; 1 of 2 have it"),
        ("tried", "waits, next try "),
        ("tried", f": {FULL}; 1 of 2 have it"),
        ("held", "stopped: may have been sent already"),
        ("fresh", "waits for its turn"),
        ("gone", "deleted, not sent"),
    ):
        assert words in told[mails[name]]
    assert "250" not in run("queue", "list", "--all").out


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ("waiting", ["gone", "fresh", "tried"]),
        ("held", ["held"]),
        ("delivered", ["delivered"]),
        ("failed", ["failed"]),
        ("partly", ["partly"]),
    ],
)
def test_a_state_is_that_of_the_real_recipients(run: Run, mails: dict[str, str], state: str, names: list[str]) -> None:
    rows = run("queue", "list", "--state", state, "--json").json
    assert [(row["queue_id"], row["state"]) for row in rows] == [(mails[name], state) for name in names]
    assert list(lines_of(run, "--state", state)) == [mails[name] for name in names]


def test_what_is_open_is_listed_unless_more_is_asked_for(run: Run, mails: dict[str, str]) -> None:
    assert list(lines_of(run)) == [mails[name] for name in ("gone", "fresh", "held", "tried")]
    both = lines_of(run, "--state", "failed", "--state", "partly", "--limit", "1")
    assert list(both) == [mails["partly"]]


def test_ids_are_whole_and_a_mail_is_one_line_at_80_columns(
    run: Run, mails: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("queue", "list", "--all").out.splitlines()
    assert len(lines) == len(mails) + 1
    assert all(len(line) <= 80 for line in lines)
    assert [line.split()[0] for line in lines[1:]] == [*mails.values()][::-1]
    assert all(" +1 " in line for line in lines[1:])  # all recipients, in some form


def test_a_filter_that_matches_nothing_says_how_many_there_are(run: Run, mails: dict[str, str]) -> None:
    among_all = "No mail matches; 3 wait, 1 is stopped. `--all` looks among what is done, too.\n"
    assert run("queue", "list", "--account", "old").out == among_all
    assert run("queue", "list", "--state", "active").out == "No mail matches; 3 wait, 1 is stopped.\n"
    said = run("queue", "list", "--to", "x@y", "--state", "failed").out
    assert said == "No mail matches; 3 wait, 1 is stopped, 7 mails are known in all.\n"
    as_json = run("queue", "list", "--account", "old", "--json")
    assert as_json.json == []
    assert as_json.err.startswith(among_all)
    assert mails


@pytest.mark.parametrize(
    ("state", "hint"),
    [
        ("queued", "did you mean 'waiting'?"),
        ("done", "did you mean 'delivered' or 'failed' or 'partly'?"),
        ("deliverd", "did you mean 'delivered'?"),
        ("zzz", "there are: waiting, active, held, delivered, failed, partly"),
    ],
)
def test_an_unknown_state_is_refused_with_the_nearest(run: Run, state: str, hint: str) -> None:
    said = run("queue", "list", "--state", state)
    assert said.status == 2
    assert hint in " ".join(said.err.split())


def test_a_state_that_can_not_be_chosen_leads_to_no_other_one(run: Run, mails: dict[str, str]) -> None:
    said = run("queue", "delete", "--state", "delivered")
    assert (said.status, len(mails) > 0) == (2, True)
    told = " ".join(said.err.split())
    assert "'delivered' is no state that can be chosen here; there are: waiting, held" in told


def test_mails_are_found_by_when_they_came_in_the_offices_time(run: Run, config: Path, mails: dict[str, str]) -> None:
    office = ZoneInfo("Europe/Berlin")
    came = dt.datetime.now(office).replace(microsecond=0) - dt.timedelta(hours=5)
    change(config, "UPDATE message SET received_at = ? WHERE id = ?", int(came.timestamp() * 1000), mails["fresh"])
    assert list(lines_of(run, "--until", "4 h")) == [mails["fresh"]]
    assert mails["fresh"] not in lines_of(run, "--since", "4 h ago")
    assert mails["fresh"] in lines_of(run, "--since", f"{came:%Y-%m-%d %H:%M:%S}")
    assert mails["fresh"] not in lines_of(run, "--since", f"{came + dt.timedelta(seconds=1):%Y-%m-%d %H:%M:%S}")
    assert mails["fresh"] in lines_of(run, "--since", f"{came:%d.%m.%Y}", "--until", f"{came:%d.%m.}")
    assert f"Received         {came:%Y-%m-%d %H:%M:%S}\n" in run("queue", "show", mails["fresh"]).out


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--since", "soon"), "must be like"),
        (("--until", "25:00"), "no time 25:00"),
        (("--since", "1 h", "--until", "2 h"), "is not before"),
        (("--all", "--state", "held"), "one of the two"),
    ],
)
def test_what_is_no_time_is_refused(run: Run, options: tuple[str, ...], why: str) -> None:
    said = run("queue", "list", *options)
    assert said.status == 2
    assert why in said.err


def walk(value: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """Give every name with its value."""
    if isinstance(value, list):
        return [pair for one in value for pair in walk(one)]
    return (
        [pair for name in value for pair in ((name, value[name]), *walk(value[name]))]
        if isinstance(value, dict)
        else []
    )


def test_names_and_times_are_those_of_the_log(run: Run, config: Path) -> None:
    (queue_id,) = asyncio.run(hand_in(config, ["one"], to=2))
    answer(
        config,
        queue_id,
        [("delivered", "250 2.0.0 Ok"), ("pending", "451 4.7.1 later")],
        state="queued",
        due=2 * 10**12,
    )
    copy_to_archive(config, queue_id, "delivered", "250 Ok")
    run("queue", "hold", queue_id)
    run("queue", "release", queue_id)
    (listed,) = run("queue", "list", "--json").json
    (shown,) = run("queue", "show", queue_id, "--json").json
    (traced,) = run("trace", queue_id, "--json").json
    for mail in (listed, shown, traced):
        assert mail["queue_id"] == queue_id
        assert mail["message_id"] == f"<{queue_id}@example.com>"
        assert (mail["state"], mail["blind_copy"]) == ("waiting", "delivered")
        assert mail["sender"] == "sales@example.com" or mail["sender"] == ""
        assert [(one["address"], one["kind"], one["state"]) for one in mail["recipients"]] == [
            ("customer@example.net", "to", "delivered"),
            ("other1@example.net", "to", "waiting"),
            ("central@example.com", "archive", "delivered"),
        ]
        assert {one["delivery_id"] for one in mail["recipients"]} == {way["delivery_id"] for way in mail["deliveries"]}
        assert UTC.fullmatch(mail["received"])
        names = {name for name, _ in walk(mail)}
        assert not names & {"id", "due", "received_at", "outcome", "header_message_id"}
        assert not any(isinstance(value, int) and value > 10**11 for _, value in walk(mail))  # no epoch anywhere
    assert [event["what"] for event in traced["events"]] == ["held", "released"]
    assert all(UTC.fullmatch(event["at"]) for event in traced["events"])


def test_what_the_json_names_trace_finds(run: Run, queued: list[str]) -> None:
    (traced,) = run("trace", queued[0], "--json").json
    message_id = traced["message_id"]
    for given in (traced["deliveries"][0]["delivery_id"], message_id, message_id.strip("<>"), queued[0].upper()):
        assert [mail["queue_id"] for mail in run("trace", given, "--json").json] == [queued[0]]


def test_next_attempt_is_a_time_or_nothing(run: Run, config: Path, queued: list[str]) -> None:
    answer(config, queued[0], [("pending", "451 later")], state="queued", due=1_990_000_000_000)
    mails = {mail["queue_id"]: mail for mail in run("queue", "list", "--json").json}
    assert mails[queued[0]]["next_attempt"] == "2033-01-22T09:46:40.000Z"
    assert mails[queued[0]]["situation"] == "retry"
    assert mails[queued[1]]["next_attempt"] is None


def test_the_history_tells_who_it_was_before_each_move() -> None:
    tries = tuple(AttemptRow(n=n, at=n * 10, seconds=0, code=451, enhanced="", reply="") for n in range(1, 4))
    way = DeliveryRow(
        id="d", state="queued", account="c", version=0, due=0, attempts=3, tried=3, uncertain=0, recipients=(),
        tries=tries,
    )  # fmt: skip
    moves = [(15, "by command, to the account b"), (25, "by command, to the account c")]
    mail = MessageDetail(
        id="m", received_at=0, user=None, account="a", rule="1a", sender="", header_message_id="", subject="",
        size=1, client="", why="", notice=False, about="", deliveries=(way,), pauses=(), notices=(),
        events=tuple(EventRow(at=at, what="moved", detail=detail) for at, detail in moves),
    )  # fmt: skip
    assert accounts_of_attempts(mail, way) == ["a", "b", "c"]
