"""What a provider answers is told in the same words by all who tell it: alert, notice, status, list and doctor."""

import datetime as dt
import shlex
from dataclasses import replace

import pytest

from relay.accounts.credentials import Credentials
from relay.admin.accounts import Line, find_troubles
from relay.model.account import Account, Pop3Server, Security, SmtpServer
from relay.model.address import Address
from relay.model.mail import Pause, Recipient
from relay.model.maildrop import Mailbox
from relay.model.reply import Reply
from relay.model.secret import Secret
from relay.rules.answers.reading import explain, find_row, parse_stored
from relay.rules.answers.row import Explanation, Stage
from relay.rules.disposition import Failure
from relay.rules.notice_status import Story
from relay.rules.notice_texts import Alert, Others, Report
from relay.rules.notice_wording import AlertFacts, word_alert, word_report
from relay.rules.replies import is_login_refused
from relay.rules.states import Grade
from relay.storage.admin import AccountNews
from relay.upstream.probe import probe_pop3, probe_smtp
from relay.watching.findings import Finding, Kind
from relay.watching.texts import describe
from tests.peers.credentials import key
from tests.peers.dialogue import Dialogue

NAME = "O'Neill & Co"
COMMAND = shlex.quote(NAME)
ACCOUNT = Account(name=NAME, address=Address(local="sales", domain="example.com"), owner="anna")
SENT = dt.datetime(2026, 6, 1, 10, 15, tzinfo=dt.UTC)
LANGUAGES = ("de", "en")
AUTH_OFF = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the"
LOGINS = (
    "535 5.7.3 Authentication unsuccessful [X.EURPRD01.PROD.OUTLOOK.COM]",
    f"{AUTH_OFF} Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
    f"{AUTH_OFF} Mailbox.",
    "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
    "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully.",
    "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.",
    "550 5.7.30 Basic authentication is not supported for Client Submission",
    "530 5.7.57 Client not authenticated to send mail",
    "534 5.7.9 Application-specific password required",
)
"""What Microsoft says to a login (Microsoft Learn: SMTP AUTH client submission; OAuth for IMAP, POP and SMTP)."""
ACCOUNTS = (
    "554 5.2.252 SendAsDenied; a not allowed to send as b",
    "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    "550 5.7.64 TenantAttribution; Relay Access Denied",
    "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization",
    "550 Requested action not taken: mailbox unavailable 550 Sender address is not allowed.",
    "550 5.7.0 From address is not one of your addresses",
    "553 Relaying disallowed as sales@x.example",
    "553 5.7.1 <a@x.example>: Sender address rejected: not owned by user b@x.example",
)
"""Refusals for the account's sake (Microsoft Learn: SMTP AUTH client submission; help pages of GMX and WEB.DE)."""
LIMITS = (
    "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed",
    "432 4.3.2 Concurrent connections limit exceeded.",
    "451 4.7.0 Temporary server error. Please try again later. PRX2",
    "550 Send quota exceeded",
    "550 5.7.1 Daily SMTP relay limit exceeded for customer",
    "550 5.4.5 Daily user sending limit exceeded",
    "450 4.2.1 Peak SMTP relay limit exceeded",
)
"""What passes (Microsoft Learn: Exchange Online limits; Google Workspace: Gmail SMTP errors; help of others)."""
STOREDRV = "430 4.2.0 STOREDRV; mailbox logon failure; failure details: MapiExceptionLogonFailed"
POP3 = ("BAD User is authenticated but not connected.", "[IN-USE] locked", "[LOGIN-DELAY] wait", "[SYS/TEMP] later")
SIGN_INS = (
    "no token: login.microsoftonline.com refuses: invalid_grant (AADSTS50173: the password was changed)",
    "no token: login.microsoftonline.com refuses: invalid_client (AADSTS7000222: the secret has expired)",
    "no token: login.microsoftonline.com refuses: invalid_grant (AADSTS53003: Conditional Access)",
    "no token: login.microsoftonline.com refuses: invalid_grant (AADSTS65001: no consent)",
)
"""What a token server answers (Microsoft Entra: error codes), as the keeper of tokens says it."""


def words_of(said: str, language: str, stage: Stage | None = None) -> Explanation:
    words = explain(parse_stored(said), language, account=COMMAND, stage=stage)
    assert words is not None
    assert words.what
    assert words.advice
    assert "{" not in words.advice
    return words


def smooth(text: str) -> str:
    return " ".join(text.split())


def told_to_writer(said: str, language: str, report: Report, account: str = "") -> str:
    one = Recipient(n=0, address="customer@example.net")
    story = Story(
        report=report,
        recipients=[Failure(recipient=one, reply=parse_stored(said))],
        queue_id="1",
        header=b"",
        body=None,
        subject="Offer",
        sent=SENT,
        others=Others.NONE,
        account=account,
    )
    return smooth(word_report(language, "relay.example", story)[1])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("said", LOGINS)
def test_a_refused_login_is_told_by_the_alert_and_by_status(said: str, language: str) -> None:
    words = words_of(said, language)
    facts = AlertFacts(kind=Alert.ACCOUNT_PAUSED, account=NAME, address="sales@example.com", reply=parse_stored(said))
    alert = smooth(word_alert(language, "relay.example", facts)[1])
    status = describe(Finding(kind=Kind.LOGIN_REFUSED, grade=Grade.NEEDS_YOU, subject=NAME, detail=said), language, str)
    assert words.what in alert
    assert words.advice in alert
    assert f"relay account resume {COMMAND}" in alert
    assert words.what in status.what
    assert words.advice in status.action
    assert f"relay account resume {COMMAND}" in status.action


@pytest.mark.parametrize("said", LOGINS)
async def test_a_refused_login_is_told_by_the_list_and_by_the_doctor(said: str) -> None:
    words = words_of(said, "en", Stage.LOGIN)
    pause = Pause(account=NAME, since=0, until=None, reason=said)
    (trouble,) = find_troubles(Line(account=replace(ACCOUNT, smtp=smtp(1)), pause=pause), dt.UTC)
    assert f"{words.what} {words.advice}" in trouble
    script = f"S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250 AUTH PLAIN\nC: AUTH .*\nS: {said}\n! silence"
    async with Dialogue(script) as server:
        at = smtp(server.port)
        steps = await probe_smtp(replace(ACCOUNT, smtp=at), at, Credentials(key).of(at), hostname="x")
    assert steps[-1].name == "log in"
    assert f"{words.what} {words.advice}" in steps[-1].advice


def smtp(port: int) -> SmtpServer:
    password = Secret(value="p")
    return SmtpServer(host="127.0.0.1", port=port, username="u", password=password, security=Security.NONE)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("said", ACCOUNTS)
def test_who_wrote_a_mail_reads_that_it_is_not_his_fault_and_the_postmaster_what_to_do(
    said: str, language: str
) -> None:
    words = words_of(said, language)
    writer = told_to_writer(said, language, Report.FAILED)
    assert words.what in writer
    assert words.advice not in writer
    assert {"de": "ist benachrichtigt", "en": "has been told"}[language] in writer
    assert words.advice in told_to_writer(said, language, Report.FAILED, account=NAME)
    row = find_row(parse_stored(said))
    kind = Alert.SENDER_REFUSED if row.about == "sender" else Alert.SETTING_NEEDED
    facts = AlertFacts(kind=kind, account=NAME, address="sales@example.com", reply=parse_stored(said))
    alert = smooth(word_alert(language, "relay.example", facts)[1])
    assert words.what in alert
    assert words.advice in alert


@pytest.mark.parametrize("said", [one for one in ACCOUNTS if "SendAsDenied" not in one])
async def test_a_refusal_for_the_accounts_sake_is_told_by_the_doctor(said: str) -> None:
    words = words_of(said, "en")
    script = (
        "S: 220 hi\nC: EHLO .*\nS: 250-server\nS: 250 AUTH PLAIN\nC: AUTH .*\nS: 235 ok\n"
        f"C: MAIL .*\nS: {said}\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye"
    )
    async with Dialogue(script) as server:
        at = smtp(server.port)
        steps = await probe_smtp(replace(ACCOUNT, smtp=at), at, Credentials(key).of(at), hostname="x")
    (step,) = [one for one in steps if not one.good]
    assert step.name == "send as sales@example.com"
    assert words.advice in step.advice


@pytest.mark.parametrize("said", ACCOUNTS)
def test_a_refusal_for_the_accounts_sake_is_in_the_list(said: str) -> None:
    words = words_of(said, "en")
    news = AccountNews(last_error=parse_stored(said), failed_at=0, failing_since=0)
    (trouble,) = find_troubles(Line(account=replace(ACCOUNT, smtp=smtp(1)), news=news), dt.UTC)
    assert f"{words.what} {words.advice}" in trouble


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("said", [*LIMITS, STOREDRV])
def test_who_waits_reads_what_for_and_that_there_is_nothing_to_do(said: str, language: str) -> None:
    words = words_of(said, language)
    writer = told_to_writer(said, language, Report.DELAYED)
    assert words.what in writer
    assert words.advice not in writer
    assert {"de": "Sie brauchen nichts zu tun", "en": "You need not do anything"}[language] in writer


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_setting_that_waiting_does_not_mend_is_told_by_status(language: str) -> None:
    words = words_of(STOREDRV, language)
    finding = Finding(kind=Kind.SETTING_NEEDED, grade=Grade.NEEDS_YOU, subject=NAME, detail=STOREDRV)
    told = describe(finding, language, str)
    assert words.what in told.what
    assert words.advice in told.action


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("said", [*POP3, *SIGN_INS])
def test_a_mailbox_that_is_not_collected_is_told_by_status_and_in_the_list(said: str, language: str) -> None:
    words = words_of(said, language)
    for kind in (Kind.MAILBOX_FAILING, Kind.MAILBOX_REFUSED):
        detail = said if said in SIGN_INS else f"login: {said}"
        told = describe(Finding(kind=kind, grade=Grade.NEEDS_YOU, subject=NAME, detail=detail), language, str)
        assert words.what in told.what
        assert words.advice in told.action
    box = Pop3Server(host="127.0.0.1", port=1, username="u", security=Security.NONE)
    state = Mailbox(hosts=("x",), login="u", last_ok=None, error=detail)
    line = Line(account=replace(ACCOUNT, smtp=None, pop3=box), mailbox=state)
    if language == "en":
        (trouble,) = find_troubles(line, dt.UTC)
        assert f"{words.what} {words.advice}" in trouble


@pytest.mark.parametrize("said", POP3)
async def test_a_mailbox_that_is_not_opened_is_told_by_the_doctor(said: str) -> None:
    words = words_of(said, "en")
    script = f"S: +OK hi\nC: CAPA\nS: -ERR\nC: USER u\nS: +OK\nC: PASS .*\nS: -ERR {said}\n! silence"
    async with Dialogue(script) as server:
        box = Pop3Server(
            host="127.0.0.1", port=server.port, username="u", password=Secret(value="p"), security=Security.NONE
        )
        steps = await probe_pop3(replace(ACCOUNT, pop3=box), box, Credentials(key).of(box))
    assert f"{words.what} {words.advice}" in steps[-1].advice


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("said", SIGN_INS)
def test_a_sign_in_that_has_ended_is_told_with_its_command(said: str, language: str) -> None:
    words = words_of(said, language)
    finding = Finding(kind=Kind.LOGIN_REFUSED, grade=Grade.NEEDS_YOU, subject=NAME, detail=f"535 5.7.8 {said}")
    assert words.advice in describe(finding, language, str).action


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_recipient_who_is_unknown_is_told_to_who_wrote_and_nobody_else_is_troubled(language: str) -> None:
    told = told_to_writer("550 5.1.1 no such user", language, Report.FAILED, account=NAME)
    assert "relay " not in told
    assert {"de": "benachrichtigt", "en": "has been told"}[language] not in told


def test_a_login_that_is_refused_is_known_by_its_code_or_by_the_step() -> None:
    assert all(is_login_refused(parse_stored(one)) for one in LOGINS if one.startswith(("530", "535")))
    assert not is_login_refused(Reply(code=550, enhanced="5.7.30"))
