"""Random mails, what the oracle says of them, what the service did, and in what the two differ."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.oracle.grammar import key_of
from tests.oracle.mails import make_question
from tests.oracle.offices import make_office
from tests.oracle.oracle import ACCEPTED, NO_DOMAIN, Answer, Question, Table, answer
from tests.oracle.parting import part
from tests.oracle.service import Outcome, ask_service
from tests.oracle.writing import find_differences

MAILS_PER_OFFICE = 500


@dataclass(frozen=True)
class Case:
    """A mail, what the oracle says of it, and what the service did."""

    office: Table
    config: Path
    question: Question
    expected: Answer
    got: Outcome

    @property
    def differences(self) -> list[str]:
        """In what they differ."""
        return list(_compare(self.expected, self.got))


def run_cases(folder: Path, *, mails: int, seed: int) -> list[Case]:
    """Hand in random mails in random offices: each has the next seed, and is the same for the same one."""
    cases: list[Case] = []
    for number in range(seed, seed - (-mails // MAILS_PER_OFFICE)):
        random = Random(number)
        office = make_office(random)
        questions = [make_question(random, office) for _ in range(min(MAILS_PER_OFFICE, mails - len(cases)))]
        place = folder / f"office-{number}"
        place.mkdir()
        outcomes = asyncio.run(ask_service(place, office, questions))
        cases += [
            Case(office, place / "relay.toml", question, answer(office, question), outcome)
            for question, outcome in zip(questions, outcomes, strict=True)
        ]
    return cases


def _compare(expected: Answer, got: Outcome) -> Iterator[str]:
    refused = tuple(path for path, _ in got.refused)
    if refused != expected.refused_recipients or any(not reply.startswith(NO_DOMAIN) for _, reply in got.refused):
        yield f"recipients: {got.refused} were refused; should be {expected.refused_recipients} by {NO_DOMAIN}"
    if not got.reply.startswith(expected.code):
        yield f"reply: {got.reply!r}; should be {expected.code} ({_decision(expected)})"
        return
    if expected.code != ACCEPTED:
        unsaid = [name for name in expected.names if name not in got.reply and not _says_address(got.reply, name)]
        if unsaid:
            yield f"reply: {got.reply!r}; should name {unsaid}"
        return
    for name, is_, should_be in _facts(expected, got):
        if is_ != should_be:
            yield f"{name}: {is_!r}; should be {should_be!r}"
    parted = part(got.header + b"\r\n")
    if parted.refused or parted.body:
        yield f"header: is none: {parted.body!r}"
    yield from (f"header: {difference}" for difference in find_differences(expected.header, parted.fields))


def _facts(expected: Answer, got: Outcome) -> Iterator[tuple[str, object, object]]:
    yield "user", got.user or None, expected.user
    yield "rule", got.rule, expected.rule
    yield "account", got.account, expected.account
    yield "envelope sender", got.reverse_path and key_of(got.reverse_path), expected.reverse_path
    yield "recipients", tuple(map(key_of, got.recipients)), expected.recipients
    yield "archive", sorted(map(key_of, got.archive)), sorted(expected.archive)
    yield "body", got.body, expected.body


def _says_address(reply: str, key: str) -> bool:
    spelled = re.sub(r"\\x\{([0-9A-F]+)\}", lambda found: chr(int(found[1], 16)), reply)
    return any("@" in word and key_of(word.strip("<>,.;:")) == key for word in spelled.split())


def _decision(expected: Answer) -> str:
    return f"user {expected.user} by {expected.identity}, rule {expected.rule}, account {expected.account!r}"


def show(case: Case) -> str:
    """Describe a case for people."""
    asked = case.question
    who = f"login {asked.login}, client {asked.ip}, default_user {_default_user(case)}"
    lines = [f"MAIL FROM:<{asked.sender}> RCPT TO {list(asked.recipients)}; {who}"]
    lines += [f"    | {line!r}" for line in asked.mail.split(b"\r\n")]
    lines += [f"  {difference}" for difference in case.differences]
    return "\n".join(lines)


def _default_user(case: Case) -> str | None:
    name: str | None = case.office["listener"][case.question.listener].get("default_user")
    return name


def show_accounts(office: Table) -> str:
    """Describe an office's accounts for people."""
    return "\n".join(f"  {account}" for account in office["account"])
