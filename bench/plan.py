"""What is measured: the cases beside Postfix, how many mails each takes, and the measurements of other kinds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import collect, growth, postgresql
from bench.case import Case, compare
from bench.commands import Ask
from bench.contestants import contestants
from bench.draining import Drain
from bench.idle import Idle
from bench.large import Large, Mixed
from bench.latency import Lone
from bench.relaying import Load
from bench.secured import Secured
from bench.start import Begin


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """How much of everything."""

    rounds: int = 9
    messages: int = 1000
    """Of a round."""
    sessions: int = 20
    length: int = 4096
    """Octets of each mail's body."""
    lone: int = 200
    """Mails of a round of latency."""
    small: int = 5000
    """Mails that go through while a large one comes."""
    large: int = 30_000_000
    """Octets of its body."""
    open: tuple[int, ...] = (1, 10, 100, 1000)
    """Idle sessions."""
    sizes: tuple[int, ...] = (1000, 10_000, 100_000, 1_000_000)
    """Mails of the history, and of the queue."""
    drained: int = 5000
    """Mails that are delivered from a long queue."""


QUICK = Counts(rounds=2, messages=100, lone=20, small=300, open=(1, 50), sizes=(1000,), drained=500)
"""To see whether everything works."""


def list_cases(counts: Counts) -> list[Case]:
    """Give the cases that are measured beside Postfix."""
    messages, sessions, length = counts.messages, counts.sessions, counts.length
    many = Load(messages=messages, sessions=sessions, length=length)
    several = max(sessions, messages // 5)
    mails = f"{messages:,} mails of {length:,} octets over {sessions} sessions"
    large = f"{counts.large:,} octets"
    return [
        Case(
            name="connections",
            what=f"{mails}, a connection for each mail",
            run=Load(messages=messages, sessions=sessions, length=length, kept=False),
        ),
        Case(name="kept", what=f"{mails}, kept connections", run=many),
        Case(
            name="latency",
            what=f"{counts.lone:,} mails of {length:,} octets over one session, each alone",
            run=Lone(messages=counts.lone, length=length),
        ),
        Case(
            name="recipients",
            what=(
                f"{several:,} mails of {length:,} octets with 100 recipients over {sessions} kept connections;"
                " at most 50 in each transaction with the provider"
            ),
            run=Load(messages=several, sessions=sessions, length=length, recipients=100, transactions=3),
        ),
        Case(
            name="large",
            what=f"A mail of {large}, while another session says NOOP every 2 ms",
            run=Large(length=counts.large),
        ),
        Case(
            name="secured",
            what=f"{mails}, kept connections, STARTTLS and AUTH from the client to the server and to the provider",
            run=Secured(messages=messages, sessions=sessions, length=length),
        ),
        Case(
            name="distant",
            what=f"{mails}, kept connections, a provider with 50 ms of round trip, 20 connections to it",
            run=Load(messages=messages, sessions=sessions, length=length, round_trip=50),
        ),
        Case(
            name="mixed",
            what=(
                f"{counts.small:,} mails of {length:,} octets over {sessions} kept connections, while one of {large}"
                " arrives"
            ),
            run=Mixed(small=Load(messages=counts.small, sessions=sessions, length=length), length=counts.large),
        ),
        Case(
            name="idle",
            what="Idle sessions beside one that works; both may have more clients than usual",
            run=Idle(sizes=counts.open, length=length),
        ),
        Case(name="start", what="A start on an empty queue, then commands on 50 waiting mails", run=Begin(waiting=50)),
    ]


def list_measurements(counts: Counts, beside: Path | None = None) -> dict[str, Iterator[str]]:
    """Give everything by its name: what gives a line for each step, and its figures as Markdown at the end.

    `beside` is the checkout of another version of the relay, which is measured in place of all other programs.
    """
    sides = contestants(beside)
    cases = list_cases(counts)
    if beside is not None:
        what = f"{counts.drained:,} mails of {counts.length:,} octets that waited for their provider"
        cases.append(Case(name="draining", what=what, run=Drain(messages=counts.drained, length=counts.length)))
        cases.append(Case(name="commands", what="Commands beside a service with 50 waiting mails", run=Ask(waiting=50)))
    found = {case.name: compare(case, sides, counts.rounds) for case in cases}
    for name, round_trip in (("collecting", 0), ("collecting-distant", 30)):
        found[name] = collect.measure(
            counts.rounds, 3 * counts.messages, counts.length, round_trip=round_trip, beside=beside
        )
    found["postgresql"] = postgresql.measure(
        counts.rounds, 2 * counts.messages, counts.length, drained=counts.drained, beside=beside
    )
    if beside is not None:
        return found
    found["growing"] = growth.measure(counts.rounds, counts.messages, counts.sizes, drained=counts.drained)
    return found
