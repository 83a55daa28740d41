"""The list of accounts says no more than what is known, and what is wrong with what helps."""

import datetime as dt
from dataclasses import replace

import pytest

from relay.admin.accounts import Line, tell, view
from relay.cli.account import COLUMNS
from relay.cli.telling import show
from relay.model.account import Account, Pop3Server, Security, SmtpServer
from relay.model.address import Address
from relay.model.mail import Pause
from relay.model.maildrop import Mailbox
from relay.model.oauth import Flow, OAuth, Provider
from relay.model.reply import Reply
from relay.rules.answers.token_rows import nobody_signed_in
from relay.storage.admin import AccountNews
from relay.storage.standing import QueueState

NOW = 1_780_000_000_000
HOUR = 3_600_000
SMTP = SmtpServer(host="smtp.provider.example", port=587, security=Security.STARTTLS)
POP3 = Pop3Server(host="pop.provider.example", port=995, security=Security.TLS, username="u")
SALES = Account(name="sales", address=Address(local="sales", domain="example.com"), owner="anna", smtp=SMTP)
BOTH = replace(SALES, pop3=POP3)
SIGNS_IN = replace(SALES, oauth=OAuth(provider=Provider.MICROSOFT, flow=Flow.DEVICE, client_id="x"))
UNSIGNED = Pause(account="sales", since=NOW, until=None, reason=f"535 5.7.8 {nobody_signed_in('sales')}")
LOST = Reply(code=0, enhanced="4.4.1", text="smtp.provider.example:587: Connection refused")


def news(code: int = 0, text: str = LOST.text, *, sent: int | None = NOW - HOUR, enhanced: str = "") -> AccountNews:
    reply = Reply(code=code, enhanced=enhanced, text=text)
    return AccountNews(last_sent=sent, last_error=reply, failed_at=NOW, failing_since=NOW - HOUR // 2)


@pytest.mark.parametrize(
    ("line", "state"),
    [
        (Line(account=SALES), "not tried yet"),
        (Line(account=SALES, news=AccountNews(last_sent=NOW)), "sends"),
        (Line(account=SALES, news=news()), "fails"),
        (Line(account=SALES, news=news(421, "busy")), "fails"),
        (
            Line(account=SALES, news=news(553, "Sender address rejected: not owned by user u", enhanced="5.7.1")),
            "fails",
        ),
        (Line(account=SALES, news=news(450, "greylisted", enhanced="4.2.0")), "sends"),
        (Line(account=SALES, news=news(450, "greylisted", sent=None)), "not tried yet"),
        (Line(account=SALES, news=news(550, "no such user", enhanced="5.1.1")), "sends"),
        (Line(account=SALES, pause=Pause(account="sales", since=NOW, until=None, reason="535 no")), "login refused"),
        (Line(account=SALES, pause=UNSIGNED), "can't log in"),
        (Line(account=SIGNS_IN), "not signed in"),
        (
            Line(account=SALES, pause=Pause(account="sales", since=NOW, until=None, reason="x", by_person=True)),
            "paused",
        ),
        (Line(account=replace(SALES, excluded=True), news=news()), "excluded"),
        (Line(account=replace(BOTH, smtp=None)), "only receives"),
    ],
)
def test_an_account_sends_only_if_it_has(line: Line, state: str) -> None:
    assert line.state == state


def test_programs_read_times_with_their_zone() -> None:
    line = Line(
        account=BOTH,
        queue=QueueState(waiting=2),
        news=news(),
        pause=Pause(account="sales", since=NOW, until=None, reason="535 no", next_probe=NOW + HOUR),
        mailbox=Mailbox(hosts=("x",), login="u", last_ok=NOW, error="no"),
        quarantined=3,
    )
    found = view(line)
    assert found["paused_since"] == found["last_poll"] == "2026-05-28T20:26:40.000Z"
    assert found["next_probe"] == "2026-05-28T21:26:40.000Z"
    assert (found["last_sent"], found["failing_since"]) == ("2026-05-28T19:26:40.000Z", "2026-05-28T19:56:40.000Z")
    assert (found["state"], found["waiting"], found["quarantined"]) == ("login refused", 2, 3)
    assert found["last_error"] == LOST.text
    empty = view(Line(account=SALES))
    assert (empty["last_sent"], empty["last_poll"], empty["paused_by"], empty["last_error"]) == (None, None, None, "")


def shown(capsys: pytest.CaptureFixture[str], *lines: Line) -> str:
    show(tell(lines, NOW, dt.UTC), COLUMNS)
    return capsys.readouterr().out


def test_it_fits_into_80_columns_and_says_what_helps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    refused = Pause(account="sales", since=NOW, until=None, reason="535 5.7.8 authentication failed.")
    polled = Mailbox(hosts=(), login="u", last_ok=NOW)
    out = shown(
        capsys,
        Line(account=BOTH, queue=QueueState(waiting=14), pause=refused, mailbox=polled),
        Line(account=replace(SALES, name="bert"), queue=QueueState(waiting=1), news=news()),
        Line(account=replace(SALES, name="carl"), news=AccountNews(last_sent=NOW)),
        Line(account=replace(SALES, name="dora"), queue=QueueState(waiting=1),
             news=news(450, "greylisted", enhanced="4.2.0")),
        Line(account=replace(SALES, name="emil"), pause=replace(refused, by_person=True)),
        Line(account=replace(BOTH, name="info", smtp=None), quarantined=1,
             mailbox=Mailbox(hosts=(), login="u", last_ok=None, error="login: no\x1b[31m")),
    )  # fmt: skip
    assert all(len(line) <= 80 for line in out.splitlines())
    for words in (
        "LOGIN REFUSED",
        "sales: the provider refuses the login since 2026-05-28",
        "14 mails wait. Nothing is lost",
        'Enter the right password: "relay account edit sales --password" asks for it',
        "relay account test sales",
        "bert: can't send since",
        "1 mail waits.",
        "works, last",
        "dora: the last try",
        "To go on: relay account resume emil",
        "info: nothing could be collected so far: login: no",
        "1 collected mail could not be put into an inbox, and lies in the quarantine. See: relay",
    ):
        assert words in " ".join(out.split()), words
    assert "\x1b" not in out
    assert ".." not in out  # a server may end what it says with a full stop, or not


def test_what_is_well_needs_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, Line(account=SALES, news=AccountNews(last_sent=NOW - 40 * 24 * HOUR)))
    assert len(out.splitlines()) == 2
    assert "works, last 2026-04-18" in out


@pytest.mark.parametrize(("flow", "told"), [(Flow.DEVICE, True), (Flow.BROWSER, True), (Flow.APP, False)])
def test_that_nobody_has_signed_in_yet_is_said_with_the_command(
    flow: Flow, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    account = replace(BOTH, oauth=OAuth(provider=Provider.MICROSOFT, flow=flow, client_id="x"))
    out = " ".join(shown(capsys, Line(account=account)).split())
    assert ("sales: nobody has signed in yet. To do so: relay account authorize sales" in out) is told
    assert out.count("NOT SIGNED IN") == 2 * told, "to send and to collect"
    assert "signed in" not in shown(capsys, Line(account=replace(account, excluded=True)))


def test_what_we_say_ourselves_is_not_the_providers(capsys: pytest.CaptureFixture[str]) -> None:
    out = " ".join(shown(capsys, Line(account=SIGNS_IN, pause=UNSIGNED)).split())
    assert "CAN'T LOG IN" in out
    assert "sales: can't log in since 2026-05-28" in out
    assert 'Sign in with "relay account authorize sales"' in out
    assert out.lower().count("signed in") == out.count("account authorize") == 1, "said once"
    over = "the login is over: relay account authorize sales (invalid_grant: taken back)"
    quoted = shown(capsys, Line(account=SIGNS_IN, pause=replace(UNSIGNED, reason=f"535 5.7.8 {over}")))
    assert over in " ".join(quoted.split()), "what the issuer said is quoted"
    assert "refuses" not in out
    assert "535" not in out
    assert view(Line(account=SIGNS_IN, pause=UNSIGNED))["paused_by"] == "no login"
