import pytest

from relay.model.account import Pop3Server, Secret, Security, SmtpServer
from relay.upstream.probe import Step, probe_pop3, probe_smtp
from tests.peers.dialogue import Dialogue

HELLO = "S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250-AUTH PLAIN\nS: 250 SIZE 1000\n"
POP3 = "S: +OK hi\nC: CAPA\nS: -ERR\nC: USER u\nS: +OK\nC: PASS .*\n"


def told(steps: list[Step]) -> list[tuple[str, bool]]:
    return [(step.name, step.good) for step in steps]


def smtp(port: int, **more: object) -> SmtpServer:
    values = {"username": "u", "password": Secret(value="p"), **more}
    return SmtpServer(host="127.0.0.1", port=port, security=Security.NONE, **values)  # type: ignore[arg-type]


async def test_what_works_is_told_step_by_step() -> None:
    async with Dialogue(HELLO + "C: AUTH .*\nS: 235 ok\nC: QUIT\nS: 221 bye") as server:
        steps = await probe_smtp(smtp(server.port), hostname="x")
        names = ["find the host", "connect", "greeting", "log in", "the server"]
        assert told(steps) == [(name, True) for name in names]
        assert "1000 octets" in steps[-1].text
    script = POP3 + "S: +OK\nC: CAPA\nS: -ERR\nC: LIST\nS: +OK\nS: 1 5\nS: .\nC: UIDL\nS: -ERR\nC: QUIT\nS: +OK"
    async with Dialogue(script) as server:
        pop3 = Pop3Server(
            host="127.0.0.1", port=server.port, security=Security.NONE, username="u", password=Secret(value="p")
        )
        steps = await probe_pop3(pop3)
        assert all(step.good for step in steps)
        assert steps[-1].text == "1 messages of 5 octets, and the server has no unique ids"


async def test_the_step_that_fails_is_the_last_one_and_says_why() -> None:
    async with Dialogue(HELLO + "C: AUTH .*\nS: 535 5.7.8 no\n! silence") as server:
        steps = await probe_smtp(smtp(server.port), hostname="x")
        assert told(steps)[-1] == ("log in", False)
        assert "535" in steps[-1].text
    async with Dialogue(POP3 + "S: -ERR [AUTH] no\n! silence") as server:
        pop3 = Pop3Server(
            host="127.0.0.1", port=server.port, security=Security.NONE, username="u", password=Secret(value="p")
        )
        steps = await probe_pop3(pop3)
        assert told(steps) == [("find the host", True), ("connect", True), ("log in", False)]


@pytest.mark.parametrize("source", [{"env": "NO_SUCH_VARIABLE"}, {"file": "/nowhere"}])
async def test_a_password_that_can_not_be_read_is_named(source: dict[str, str]) -> None:
    steps = await probe_smtp(smtp(1, password=Secret(**source)), hostname="x")  # type: ignore[arg-type]
    assert told(steps)[-1] == ("read the password", False)


async def test_a_list_that_never_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.upstream.probe._LONGEST_LISTING", 0.05)
    async with Dialogue(POP3 + "S: +OK\nC: CAPA\nS: -ERR\nC: LIST\nS: +OK\nS: 1 5\n! silence") as server:
        steps = await probe_pop3(
            Pop3Server(
                host="127.0.0.1", port=server.port, security=Security.NONE, username="u", password=Secret(value="p")
            )
        )
    assert told(steps)[-1] == ("list the messages", False)
    assert "did not end" in steps[-1].text
