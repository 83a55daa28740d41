"""What programs read: one name for one thing, and those of the log."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, answer, copy_to_archive, hand_in

pytestmark = pytest.mark.usefixtures("both_ways")

UTC = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


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
