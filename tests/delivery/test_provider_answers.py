"""From the mail to its outcome: what a known answer of a provider does to the mail, the account and the people."""

import asyncio
import email
from email import policy
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from relay.storage import admin
from tests.peers.office import MINUTE, Office, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import ANNA, make_account
from tests.watching.disk import statvfs_of
from tests.watching.test_watcher import watch

A, B = "a@example.net", "b@example.net"
HOUR = 60 * MINUTE
USERS = [{**ANNA, "notify": "inbox"}, {"name": "bert", "address": "bert@example.com", "notify": "inbox"}]
"""Anna writes; Bert is the postmaster."""
SERVER = {"hostname": "relay.office.example", "postmaster": "bert"}
LOGIN = {"username": "sales@example.com", "password": "p"}
STOREDRV = "430 4.2.0 STOREDRV; mailbox logon failure; failure details: MapiExceptionLogonFailed"


def office_of(folder: Path, provider: Provider, **tables: Any) -> Any:  # noqa: ANN401 - an office's context
    smtp = {"host": "127.0.0.1", "port": provider.port, "security": "none", **LOGIN, **tables.pop("smtp", {})}
    account = {"archive": False, "smtp": smtp}
    return open_office(folder, account=account, users=USERS, server=SERVER, language="de", **tables)


def read(office: Office, user: str) -> str:
    """Give what a user has in his inbox, decoded."""
    texts = []
    for raw in office.inbox(user):
        parsed = email.message_from_bytes(raw, policy=policy.default)
        body = parsed.get_body(("plain",))
        texts.append(f"{parsed['Subject']}\n{'' if body is None else body.get_content()}")
    return " ".join("\n".join(texts).split())


def events(lines: list[Any], name: str) -> list[Any]:
    return [line for line in lines if line["event"] == name]


@pytest.mark.parametrize(
    ("said", "cause", "told"),
    [
        ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
         "smtp_auth_off", "Authentifiziertes SMTP"),
        ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
         "smtp_auth_off", "Authentifiziertes SMTP"),
        ("535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
         "passwords_off", "relay account authorize sales"),
        ("535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.",
         "security_policy", "Sicherheitsstandards"),
        ("550 5.7.30 Basic authentication is not supported for Client Submission",
         "passwords_gone", "relay account authorize sales"),
        ("535 5.7.3 Authentication unsuccessful", "microsoft_login", "Lizenz"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", ["AUTH", "MAIL"])
async def test_a_login_that_the_provider_does_not_allow(
    tmp_path: Path, said: str, cause: str, told: str, step: str
) -> None:
    """The mail waits, the account is paused, the postmaster is told what to do, and nobody else anything."""
    async with Provider({step: said}) as provider, office_of(tmp_path, provider) as office:
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A)).text.split()[-1]
            await office.send()
        assert office.outcomes(queue_id)[A] == "pending"
        assert [pause.account for pause in admin.list_pauses(office.engine)] == ["sales"]
        assert {line["cause"] for line in lines if line["event"] in ("account_paused", "delivery_deferred")} == {cause}
        assert told in read(office, "bert")
        assert office.inbox("anna") == []


@pytest.mark.parametrize(
    ("step", "said", "cause", "event", "told"),
    [
        ("DOT", "554 5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example", "send_as_denied",
         "sender_refused", "Senden als"),
        ("MAIL", "550 Requested action not taken: mailbox unavailable 550 Sender address is not allowed.",
         "sender_not_allowed", "sender_refused", "Vergleichen Sie die Adresse des Kontos"),
        (f"RCPT {A}", "553 5.7.1 <sales@example.com>: Sender address rejected: not owned by user u@example.com",
         "sender_not_owned", "sender_refused", "Vergleichen Sie die Adresse des Kontos"),
        (f"RCPT {A}", "550 5.7.64 TenantAttribution; Relay Access Denied", "connector_unknown", "setting_needed",
         "Connector"),
        ("MAIL", "550 5.7.64 TenantAttribution; Relay Access Denied", "connector_unknown", "setting_needed",
         "Connector"),
        ("DOT", "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization",
         "direct_send_off", "setting_needed", "Reject Direct Send"),
    ],
)  # fmt: skip
async def test_a_refusal_for_the_accounts_sake(
    tmp_path: Path, step: str, said: str, cause: str, event: str, told: str
) -> None:
    """The mail bounces; its writer reads that it is not his fault, the postmaster once what to do."""
    async with Provider({step: said}) as provider, office_of(tmp_path, provider) as office:
        with capture_logs() as lines:
            queue_ids = [(await office.hand_in(A)).text.split()[-1] for _ in range(2)]
            await office.send()
        assert [office.outcomes(one)[A] for one in queue_ids] == ["bounced", "bounced"]
        assert admin.list_pauses(office.engine) == []
        assert {line["cause"] for line in lines if line["event"] in (event, "message_bounced")} == {cause}
        assert len(events(lines, event)) == 2
        assert len(office.inbox("bert")) == 1
        assert told in read(office, "bert")
        assert len(office.inbox("anna")) == 2
        assert "An Ihrer E-Mail liegt es nicht" in read(office, "anna")
        assert "Die Person, die den Maildienst betreut, ist benachrichtigt" in read(office, "anna")


async def test_a_connector_that_lets_some_through_is_told_as_well(tmp_path: Path) -> None:
    """Microsoft takes what is for the organisation itself, and refuses the rest."""
    answers = {f"RCPT {A}": "550 5.7.64 TenantAttribution; Relay Access Denied"}
    async with Provider(answers) as provider, office_of(tmp_path, provider) as office:
        queue_id = (await office.hand_in(A, B)).text.split()[-1]
        await office.send()
        assert office.outcomes(queue_id) == {A: "bounced", B: "delivered"}
        assert "Connector" in read(office, "bert")


@pytest.mark.parametrize(
    ("step", "said", "cause"),
    [
        ("DOT", "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed", "day_used_up"),
        ("MAIL", "550 5.4.5 Daily user sending limit exceeded", "google_day"),
        (f"RCPT {A}", "550 5.7.1 Daily SMTP relay limit exceeded for customer", "google_day"),
        ("DATA", "550 Send quota exceeded", "send_quota"),
        ("MAIL", "452 4.5.3 hourly limit of 400 mails reached", "day_limit"),
    ],
)
async def test_a_day_that_is_used_up(tmp_path: Path, step: str, said: str, cause: str) -> None:
    """The mail and all behind it wait, nobody is troubled, the account asks once an hour, and other accounts go on."""
    async with Provider({step: [said, said, "250 ok"]}) as full, Provider() as free:
        if step == "DATA":
            full.answers[step] = [said, said, "354 go on"]
        accounts = [
            make_account("sales", full.port, archive=False, smtp={"connections": 1}),
            make_account("other", free.port, archive=False, address="other@example.com"),
        ]
        async with open_office(tmp_path, accounts=accounts, users=USERS, server=SERVER) as office:
            with capture_logs() as lines:
                queue_ids = [(await office.hand_in(A)).text.split()[-1] for _ in range(5)]
                await office.hand_in(A, sender="other@example.com")
                await office.send()
                tries = len(events(lines, "provider_asks_for_less"))
                for _ in range(11):
                    await office.pass_time(5 * MINUTE)
                assert len(events(lines, "provider_asks_for_less")) == tries == 1
                for _ in range(30):
                    await office.pass_time(5 * MINUTE)
            assert len(free.mails) == 1
            assert {office.outcomes(one)[A] for one in queue_ids} == {"delivered"}
            assert events(lines, "provider_asks_for_less")[0]["cause"] == cause
            assert {line["seconds"] for line in events(lines, "account_slowed")} == {3600.0}
            assert office.inbox("anna") == office.inbox("bert") == []
            assert admin.list_pauses(office.engine) == []


async def test_too_many_connections_take_fewer_and_no_rest(tmp_path: Path) -> None:
    """One of two connections is refused its mail: it goes later over the other, and nothing pauses."""
    said = "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending"
    answers = {f"DOT {A}": [said, "250 ok"], f"RCPT {B}": "! silence"}
    async with Provider(answers) as provider, office_of(tmp_path, provider, smtp={"connections": 2}) as office:
        with capture_logs() as lines:
            await office.hand_in(B)  # its connection is in use as long as the server is silent
            await provider.wait_for("RCPT")
            queue_id = (await office.hand_in(A)).text.split()[-1]
            while not events(lines, "delivery_deferred"):  # noqa: ASYNC110 - the log has no event to wait for
                await asyncio.sleep(0)  # a turn of the loop; the test's own timeout ends it
        narrowed = events(lines, "account_narrowed")
        assert [(line["connections"], line["cause"]) for line in narrowed] == [(1, "too_many_connections")]
        assert events(lines, "account_slowed") == events(lines, "account_paused") == []
        assert office.outcomes(queue_id)[A] == "pending"
        assert office.inbox("anna") == office.inbox("bert") == []


async def test_a_setting_that_waiting_does_not_mend(tmp_path: Path) -> None:
    """Microsoft asks to come again though a right is missing: the postmaster is told after an hour, once."""
    retry = {"intervals": ["1 min", "10 min"], "warn_after": "4 h"}
    async with Provider({"DOT": STOREDRV}) as provider, office_of(tmp_path, provider, retry=retry) as office:
        watcher = watch(office, statvfs=statvfs_of(1 << 40))
        with capture_logs() as lines:
            queue_id = (await office.hand_in(A)).text.split()[-1]
            await office.send()
            for _ in range(5):
                await office.pass_time(10 * MINUTE)
                await watcher.look()
            assert office.inbox("bert") == []
            for _ in range(12):
                await office.pass_time(10 * MINUTE)
                await watcher.look()
                await office.send()
            assert len(office.inbox("bert")) == 1
            assert "FullAccess" in read(office, "bert")
            assert office.inbox("anna") == []
            assert office.outcomes(queue_id)[A] == "pending"
            assert {line["cause"] for line in events(lines, "delivery_deferred")} == {"mailbox_logon"}
            for _ in range(15):
                await office.pass_time(10 * MINUTE)
            assert "An Ihrer E-Mail liegt es nicht" in read(office, "anna"), "the warning that it still waits"
            provider.answers.clear()
            await office.pass_time(20 * MINUTE)
        assert office.outcomes(queue_id)[A] == "delivered"
