"""One mail as people see it: its recipients with what each got, the blind copy apart, and the command that helps."""

import asyncio
from pathlib import Path

import pytest

from tests.cli.conftest import Run, answer, change, copy_to_archive, hand_in
from tests.peers.relay_process import ANNA, make_account, write_config

pytestmark = pytest.mark.usefixtures("both_ways")

PAUSE = "INSERT INTO pause (account, since, reason, by_person, probes, fingerprint)"


@pytest.mark.parametrize("command", [("trace",), ("queue", "show")], ids=" ".join)
def test_all_recipients_are_told_and_the_blind_copy_apart(run: Run, config: Path, command: tuple[str, ...]) -> None:
    (queue_id,) = asyncio.run(hand_in(config, ["one"], to=3))
    ends = [("delivered", "250 2.0.0 Ok"), ("bounced", "550 5.1.1 unknown"), ("pending", "451 4.7.1 later")]
    answer(config, queue_id, ends, state="queued", due=1_990_000_000_000)
    copy_to_archive(config, queue_id, "bounced", "554 no archive here")
    out = run(*command, queue_id).out
    people, _, copy = out.partition("Blind copy:\n")
    assert "  customer@example.net: handed over to the provider (250 2.0.0 Ok)\n" in people
    assert "  other1@example.net: not delivered (550 5.1.1 unknown)\n" in people
    assert "  other2@example.net: waits, next try 2033-01-22 10:46 (451 4.7.1 later)\n" in people
    assert copy.startswith("  central@example.com: not delivered (554 no archive here)\n")
    assert "waiting: waits, next try 2033-01-22 10:46: " in out
    assert "; 1 of 3 have it" in out
    assert f"`relay queue retry {queue_id}` tries it now" in out
    assert "archive" not in people


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        (["bounced", "bounced"], "250 2.0.0 Ok (for the blind copy alone)\n"),
        (["delivered", "bounced"], "250 2.0.0 Ok (taken for 1 of 2 recipients)\n"),
        (["delivered", "delivered"], "250 2.0.0 Ok\n"),
    ],
)
def test_an_answer_to_the_blind_copy_is_not_told_as_one_to_the_mail(
    run: Run, config: Path, outcomes: list[str], said: str
) -> None:
    (queue_id,) = asyncio.run(hand_in(config, ["one"], to=2))
    answers = {"delivered": "250 2.0.0 Ok", "bounced": "550 5.1.1 unknown"}
    answer(config, queue_id, [(outcome, answers[outcome]) for outcome in outcomes])
    copy_to_archive(config, queue_id, "delivered", "250 Ok")
    change(
        config,
        "INSERT INTO attempt (delivery_id, n, key, at, seconds, code, enhanced, reply)"
        " SELECT id, 1, 'k', 1990000000000, 0.1, 250, '2.0.0', 'Ok' FROM delivery WHERE message_id = ?",
        queue_id,
    )
    out = run("trace", queue_id).out
    assert f"attempt 1 by sales, 0.10 s: {said}" in out


def test_what_an_account_that_is_gone_holds_is_moved(run: Run, config: Path, queued: list[str]) -> None:
    run("queue", "hold", *queued)
    assert f"`relay queue release {queued[0]}` sends it" in run("trace", queued[0]).out
    write_config(config.parent, accounts=[make_account("other", 9)], users=[ANNA])
    run("reload")  # a running service answers by the configuration that is in force
    for command in (("trace",), ("queue", "show")):
        out = run(*command, queued[0]).out
        assert "stopped: its account is gone or excluded" in out
        assert f"`relay queue move {queued[0]} --account NAME` gives it an account that sends" in out
    assert "stopped: its account is gone" in run("queue", "list").out


@pytest.mark.parametrize(
    ("sql", "words", "advice"),
    [
        ("UPDATE delivery SET state = 'held', uncertain = 1", "may have been sent already", "perhaps a second time"),
        ("UPDATE delivery SET state = 'active'", "active: is being sent", ""),
        (
            f"{PAUSE} VALUES ('sales', 1, '535 no', 0, 0, '')",
            "waits until the account works",
            "`relay account test sales` says what",
        ),
        (
            f"{PAUSE} VALUES ('sales', 1, 'by command', 1, 0, '')",
            "waits: the account is paused",
            "`relay account resume sales` lets the account send again",
        ),
    ],
)
def test_the_command_that_helps_is_named(
    run: Run, config: Path, queued: list[str], sql: str, words: str, advice: str
) -> None:
    change(config, sql)
    out = run("trace", queued[0]).out
    assert words in out
    assert advice in out
    assert ("What to do" in out) is bool(advice)


def test_a_deleted_mail_is_told_as_that(run: Run, queued: list[str]) -> None:
    run("queue", "delete", "--yes", queued[0])
    out = run("trace", queued[0]).out
    assert "State    failed: deleted, not sent\n" in out
    assert "customer@example.net: deleted, not sent\n" in out
