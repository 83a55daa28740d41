"""A provider that repeats the password at every step: no log, database, notice or command tells it."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from relay.cli import main
from tests.peers.dialogue import Dialogue
from tests.peers.office import MINUTE, open_office

PASSWORD = "secret-wörd"
ECHO = f"{PASSWORD} AHUAc2VjcmV0LXfDtnJk c2VjcmV0LXfDtnJk"
HELLO = "S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250 AUTH PLAIN LOGIN\n"
IN = HELLO + "C: AUTH .*\nS: 235 ok\n"
MAIL = IN + "C: MAIL .*\n"
RCPT = MAIL + "S: 250 ok\nC: RCPT .*\n"
DATA = RCPT + "S: 250 ok\nC: DATA\n"
DOT = DATA + "S: 354 go\nC. hello\n"
STEPS = {
    "banner": f"S: 554 5.7.1 {ECHO}\n! close",
    "no SMTP": f"S: {ECHO}\n! close",
    "EHLO": f"S: 220 {ECHO}\nC: EHLO .*\nS: 550-no\nS: 550 {ECHO}\nC: HELO .*\nS: 550 {ECHO}\n! silence",
    "offers": f"S: 220 hi\nC: EHLO .*\nS: 250-{ECHO}\nS: 250 SIZE {ECHO}\nC: .*\n! close",
    "AUTH": f"{HELLO}C: AUTH .*\nS: 535 5.7.8 {ECHO}\n! silence",
    "MAIL": f"{MAIL}S: 550 5.7.1 {ECHO}\nC: RSET\nS: 250 {ECHO}\n! close",
    "RCPT": f"{RCPT}S: 550-5.1.1 no\nS: 550 5.1.1 {ECHO}\nC: RSET\nS: 250 {ECHO}\n! silence",
    "DATA": f"{DATA}S: 554 5.7.1 {ECHO}\nC: RSET\nS: 421 {ECHO}\n! close",
    "dot": f"{DOT}S: 554 5.6.0 {ECHO}\nC: QUIT\nS: 221 {ECHO}\n! close",
    "dot, taken": f"{DOT}S: 250 2.0.0 {ECHO}\nC: QUIT\nS: 221 {ECHO}\n! close",
    "dot, later": f"{DOT}S: 451 4.3.0 {ECHO}\nC: QUIT\nS: 221 {ECHO}\n! close",
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_password_that_the_provider_repeats_is_told_nowhere(tmp_path: Path, step: str) -> None:
    smtp = {"username": "u", "password": PASSWORD}
    async with (
        Dialogue(*[STEPS[step]] * 3) as server,
        open_office(tmp_path, port=server.port, account={"smtp": smtp}, archive=[]) as office,
    ):
        with capture_logs() as lines:
            queue_id = (await office.hand_in("a@example.net")).text.split()[-1]
            await office.send()
            await office.pass_time(MINUTE // 2)
        config = ["-c", str(tmp_path / "relay.toml")]
        told = [
            await asyncio.to_thread(_run, *command, *config)
            for command in (["trace", queue_id], ["queue", "list", "--json"], ["account", "list"])
        ]
        if step not in ("MAIL", "RCPT", "DATA") and not step.startswith("dot"):
            told.append(await asyncio.to_thread(_run, "account", "test", "sales", *config))
        kept = _stored(tmp_path)
    assert len(lines) > 1
    shown = [repr(lines), *told, kept.decode("latin-1"), kept.decode("utf-8", "replace")]
    for secret in (*ECHO.split(), "wörd", "wÃ¶rd", "secret"):
        assert not any(secret in text for text in shown), secret


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments))
    return result.stdout + result.stderr


def _stored(folder: Path) -> bytes:
    files = [*folder.glob("relay.db*"), *folder.glob("relay.db.bodies/*"), *folder.glob("inboxes/**/*")]
    return b"".join(path.read_bytes() for path in files if path.is_file())
