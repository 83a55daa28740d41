"""Asks `relay explain` what the service was asked, in this process."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from relay.cli import main
from tests.oracle.cases import Case
from tests.oracle.grammar import key_of
from tests.oracle.oracle import ACCEPTED


def compare_explanation(case: Case, folder: Path) -> Iterator[str]:
    """Say in what `relay explain` differs from what the service did."""
    asked, did = case.question, case.got
    message = folder / "message.eml"
    # Half of the files are as a program of Unix writes them.
    unix = re.sub(rb"\r\n?", b"\n", asked.mail)
    message.write_bytes(unix if len(asked.mail) % 2 else asked.mail)
    words = ["explain", "--json", "--smtputf8", "-c", str(case.config)]
    words += ["--ip", asked.ip, "--listener", str(asked.listener + 1)]
    words += [word for path in asked.recipients for word in ("--to", path)]
    words += [] if asked.login is None else ["--user", asked.login]
    words += [] if asked.sender else ["--null-sender"]
    result = CliRunner().invoke(main, [*words, str(message)])
    if result.exit_code or result.exception is not None:
        ended = f"status {result.exit_code}: {result.output!r} {result.exception!r}"
        yield f"explain: {ended}; the service said {did.reply!r}"
        return
    said: dict[str, Any] = json.loads(result.stdout)
    if not did.reply.startswith(ACCEPTED):
        if said["reply"] != did.reply:
            yield f"explain: {said['reply']!r}; the service said {did.reply!r}"
        return
    facts = {
        "reply": (said["reply"], None),
        "user": (said["user"], did.user or None),
        "rule": (said["rule"], did.rule),
        "account": (said["account"], did.account),
        "envelope_sender": (_key(said["envelope_sender"]), _key(did.reverse_path)),
        "blind_copy": (sorted(map(key_of, said["blind_copy"])), sorted(map(key_of, did.archive))),
    }
    for name, (explained, done) in facts.items():
        if explained != done:
            yield f"explain: {name} {explained!r}; the service has {done!r}"


def _key(path: str) -> str:
    """Give what is compared of a path; empty is the null sender, in both spellings."""
    address = path.strip("<>")
    return key_of(address) if address else ""
