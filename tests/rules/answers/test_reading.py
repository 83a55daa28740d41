import subprocess
import sys
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.reply import Reply
from relay.rules.answers.about import DEFERRED_CONFIGURATION, About, Stage
from relay.rules.answers.reading import (
    all_rows,
    choose_advice,
    explain,
    find_row,
    parse_stored,
)
from relay.rules.answers.row import Advice


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "advice"),
    [
        (550, "5.1.1", "The email account that you tried to reach does not exist.", Advice.UNKNOWN_ADDRESS),
        (550, "", "Requested action not taken: mailbox unavailable", Advice.UNKNOWN_ADDRESS),
        (550, "5.4.1", "Recipient address rejected: Access denied.", Advice.UNKNOWN_ADDRESS),
        (550, "5.1.10", "RESOLVER.ADR.RecipientNotFound; Recipient not found", Advice.UNKNOWN_DOMAIN),
        (550, "", "<spam@example.com>: No such user here", Advice.UNKNOWN_ADDRESS),
        (550, "5.1.2", "", Advice.UNKNOWN_DOMAIN),
        (550, "5.4.4", "", Advice.UNKNOWN_DOMAIN),
        (550, "", "Unrouteable address", Advice.UNKNOWN_DOMAIN),
        (556, "5.1.10", "Domain does not accept mail (nullMX)", Advice.UNKNOWN_DOMAIN),
        (501, "5.1.3", "Bad recipient address syntax", Advice.BAD_ADDRESS),
        (552, "5.2.2", "The recipient's inbox is out of storage space", Advice.MAILBOX_FULL),
        (452, "4.2.2", "", Advice.MAILBOX_FULL),
        (552, "", "Mailbox quota exceeded", Advice.MAILBOX_FULL),
        (550, "5.2.1", "The user you are trying to contact is disabled", Advice.MAILBOX_CLOSED),
        (552, "5.3.4", "Message size exceeds fixed limit", Advice.TOO_LARGE),
        (552, "", "message exceeds maximum fixed size", Advice.TOO_LARGE),
        (552, "", "", Advice.TOO_LARGE),
        (550, "5.7.1", "Our system has detected that this message is likely unsolicited mail.", Advice.SPAM),
        (554, "5.7.1", "Service unavailable; Client host blocked using zen.spamhaus.org", Advice.BLOCKED),
        (554, "", "Transaction failed: Reject due to policy restrictions, bad reputation", Advice.BLOCKED),
        (550, "5.7.26", "Unauthenticated email is not accepted due to domain's DMARC policy.", Advice.UNPROVEN_SENDER),
        (550, "5.7.1", "SPF check failed", Advice.UNPROVEN_SENDER),
        (552, "5.7.0", "This message was blocked because its content presents a potential security issue.",
         Advice.ATTACHMENT),
        (550, "5.7.1", "Message refused", Advice.POLICY),
        (535, "5.7.8", "Username and Password not accepted.", Advice.AUTHENTICATION),
        (535, "", "", Advice.AUTHENTICATION),
        (530, "5.7.0", "Authentication required", Advice.AUTHENTICATION),
        (550, "5.7.60", "SMTP; Client does not have permissions to send as this sender", Advice.SENDER_REFUSED),
        (554, "5.2.252", "SendAsDenied; a@example.com not allowed to send as b@example.com", Advice.SENDER_REFUSED),
        (553, "5.7.1", "<a@example.com>: Sender address rejected: not owned by user b", Advice.SENDER_REFUSED),
        (550, "", "Sender address is not allowed.", Advice.SENDER_REFUSED),
        (553, "", "Mail from must equal authorized user", Advice.SENDER_REFUSED),
        (554, "5.7.1", "<a@example.com>: Relay access denied", Advice.RELAY_DENIED),
        (450, "4.7.0", "Rate limit reached", Advice.RATE),
        (550, "5.4.5", "Daily user sending limit exceeded", Advice.RATE),
        (550, "5.6.7", "", Advice.NO_UTF8),
        (554, "5.6.0", "Message could not be processed", Advice.CONTENT),
        (554, "5.4.6", "Too many hops", Advice.LOOP),
        (0, "4.4.2", "the connection was lost", Advice.UNREACHABLE),
        (0, "", "", Advice.UNREACHABLE),
        (554, "", "Transaction failed", Advice.OTHER),
        (550, "", "", Advice.OTHER),
        (550, "nonsense", "", Advice.OTHER),
    ],
)  # fmt: skip
def test_refusals_of_providers(code: int, enhanced: str, text: str, advice: Advice) -> None:
    reply = Reply(code=code, enhanced=enhanced, text=text)
    assert choose_advice(reply) is advice


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        (Reply(code=451, text="Try again later"), Advice.EXPIRED),
        (Reply(code=450, enhanced="4.4.7", text=""), Advice.EXPIRED),
        (Reply(code=0, text="timed out"), Advice.UNREACHABLE),
        (Reply(code=452, enhanced="4.2.2", text="Mailbox full"), Advice.MAILBOX_FULL),
    ],
)
def test_what_expired_is_explained_by_its_last_reply(reply: Reply, advice: Advice) -> None:
    assert choose_advice(reply, expired=True) is advice


@given(st.integers(0, 599), st.text(max_size=10), st.text(max_size=60), st.booleans())
def test_any_reply_gets_some_advice(code: int, enhanced: str, text: str, expired: bool) -> None:
    assert choose_advice(Reply(code=code, enhanced=enhanced, text=text), expired=expired) in Advice


@pytest.mark.parametrize("text", ["x" * 10**6, "<" * 10**6, "size " * 10**5, "a@" * 10**6])
def test_a_hostile_reply_costs_little(text: str) -> None:
    begun = perf_counter()
    choose_advice(Reply(code=550, text=text))
    assert perf_counter() - begun < 0.5


@pytest.mark.parametrize(
    ("stage", "said", "about", "english", "german"),
    [
        (Stage.LOGIN, "535 5.7.3 Authentication unsuccessful", About.LOGIN, "one of your own", "ein eigener Server"),
        (Stage.LOGIN, "-ERR Protocol error. Connection is closed. 10", About.TROUBLE,
         "whether POP is on", "POP für das Postfach"),
        (Stage.LOGIN, "535 5.7.3 Authentication unsuccessful [X.EURPRD01.PROD.OUTLOOK.COM]", About.LOGIN,
         "licence", "Lizenz"),
        (Stage.LOGIN, ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
         " Visit https://aka.ms/smtp_auth_disabled for more information."), About.CONFIGURATION,
         "Authenticated SMTP", "Authentifiziertes SMTP"),
        (Stage.LOGIN, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
         About.CONFIGURATION, "Authenticated SMTP", "Authentifiziertes SMTP"),
        (Stage.LOGIN, "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
         About.CONFIGURATION, "relay account authorize sales", "relay account authorize sales"),
        (Stage.LOGIN, ("535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be"
         " authenticated successfully. Contact your administrator."), About.CONFIGURATION,
         "security defaults", "Sicherheitsstandards"),
        (Stage.LOGIN, ("535 5.7.139 Authentication unsuccessful, user is locked by your organization's security"
         " defaults policy."), About.CONFIGURATION, "security defaults", "Sicherheitsstandards"),
        (Stage.LOGIN, "550 5.7.30 Basic authentication is not supported for Client Submission", About.CONFIGURATION,
         "relay account authorize sales", "relay account authorize sales"),
        (Stage.SEND, "530 5.7.57 Client not authenticated to send mail", About.CONFIGURATION,
         "without a login", "ohne Anmeldung"),
        (Stage.SEND, "535 5.7.57 Client not authenticated to send mail", About.CONFIGURATION,
         "without a login", "ohne Anmeldung"),
        (Stage.SEND, "554 5.2.252 SendAsDenied; a@x.example not allowed to send as b@x.example", About.SENDER,
         "Send as", "Senden als"),
        (Stage.SEND, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", About.SENDER,
         "Send as", "Senden als"),
        (Stage.SEND, "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed",
         About.USED_UP, "10,000", "10.000"),
        (Stage.LOGIN, "Too many concurrent connections from your IP", About.TROUBLE, "More programs", "Mehr Programme"),
        (Stage.LOGIN, "Maximum number of connections reached", About.TROUBLE, "More programs", "Mehr Programme"),
        (Stage.SEND, "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending",
         About.CONNECTIONS, "smtp.connections=1", "smtp.connections=1"),
        (Stage.SEND, "451 4.7.0 Temporary server error. Please try again later. PRX2", About.TROUBLE,
         "need not do anything", "nichts zu tun"),
        (Stage.LOGIN, "454 4.7.0 Temporary authentication failure", About.TROUBLE,
         "need not do anything", "nichts zu tun"),
        (Stage.SEND, "550 5.7.64 TenantAttribution; Relay Access Denied", About.CONFIGURATION,
         "connector", "Connector"),
        (Stage.SEND, "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization",
         About.CONFIGURATION, "Reject Direct Send", "Reject Direct Send"),
        (Stage.COLLECT, "BAD User is authenticated but not connected.", About.CONFIGURATION,
         "shared mailbox", "gemeinsamen Postfach"),
        (Stage.SEND, "430 4.2.0 STOREDRV; mailbox logon failure; failure details: MapiExceptionLogonFailed",
         About.CONFIGURATION, "FullAccess", "FullAccess"),
        (Stage.SEND, "550 Requested action not taken: mailbox unavailable 550 Sender address is not allowed.",
         About.SENDER, "own addresses", "eigenen Adressen"),
        (Stage.SEND, "550 5.7.0 From address is not one of your addresses", About.SENDER, "iCloud", "iCloud"),
        (Stage.SEND, "553 Relaying disallowed as sales@x.example", About.SENDER, "Zoho", "Zoho"),
        (Stage.SEND, "553 5.7.1 <a@x.example>: Sender address rejected: not owned by user b@x.example",
         About.SENDER, "belong to it", "die ihr gehören"),
        (Stage.SEND, "554 Transaction failed Reject due to policy restrictions.", About.MAIL, "header", "Kopfzeilen"),
        (Stage.SEND, "550 Send quota exceeded", About.USED_UP, "recipients_per_day", "recipients_per_day"),
        (Stage.SEND, "550 5.7.1 Daily SMTP relay limit exceeded for customer", About.USED_UP, "Google", "Google"),
        (Stage.SEND, "550 5.4.5 Daily user sending limit exceeded", About.USED_UP, "Google", "Google"),
        (Stage.SEND, "450 4.2.1 Peak SMTP relay limit exceeded", About.LIMIT, "messages_per_minute",
         "messages_per_minute"),
        (Stage.SEND, "550 Daily limit of 1500 mails reached: quota", About.USED_UP, "recipients_per_day",
         "recipients_per_day"),
        (Stage.LOGIN, "534 5.7.9 Application-specific password required", About.LOGIN, "--password",
         "--password"),
        (Stage.LOGIN, "[IN-USE] mailbox is locked", About.TROUBLE, "Another program", "anderes Programm"),
        (Stage.LOGIN, "[LOGIN-DELAY] wait", About.TROUBLE, "time to time", "Zeit zu Zeit"),
        (Stage.LOGIN, "[SYS/TEMP] try later", About.TROUBLE, "trouble of its own", "Störung"),
    ],
)  # fmt: skip
def test_each_answer_of_a_provider_has_its_advice(
    stage: Stage, said: str, about: About, english: str, german: str
) -> None:
    reply = parse_stored(said)
    assert find_row(reply, stage).about is about
    assert find_row(reply) is find_row(reply, stage), "where the stage is not known it means the same"
    for language, part in (("en", english), ("de", german)):
        words = explain(reply, language, account="sales", stage=stage)
        assert words is not None
        assert part in f"{words.what} {words.advice}"


def test_what_is_said_by_a_recipients_server_is_not_taken_for_the_account() -> None:
    assert find_row(Reply(code=550, enhanced="5.1.1", text="no such user")).about is About.RECIPIENT
    assert explain(Reply(code=550, enhanced="5.1.1", text="no such user"), "de", account="a") is None


def test_a_stored_line_is_read_as_the_reply_that_it_was() -> None:
    for reply in (
        Reply(code=535, enhanced="5.7.8", text="no"),
        Reply(code=451, text="later"),
        Reply(code=550, enhanced="5.7.1"),
        Reply(code=0, text="login: no"),
    ):
        assert parse_stored(str(reply)) == reply


def test_what_asks_to_come_again_in_vain_is_known_by_its_code() -> None:
    asking = {code for row in all_rows() if row.about is About.CONFIGURATION for code in row.codes if 400 <= code < 500}
    assert asking == DEFERRED_CONFIGURATION


def test_each_name_stands_for_one_meaning_and_words_come_in_pairs() -> None:
    told = [row for row in all_rows() if row.english is not None]
    assert len({row.name for row in told}) == len(told)
    assert all(row.german is not None and row.german.what and row.english is not None for row in told)
    assert [row for row in all_rows() if row.german is not None and row.english is None] == []


def test_the_tables_are_read_only_where_an_answer_is_looked_up() -> None:
    tables = "microsoft_rows", "provider_rows", "general_rows"
    code = (
        "import sys, relay.supervisor\n"
        "from relay.admin.desk import load_all\n"
        "load_all()\n"
        f"print(*(one for one in {tables} if f'relay.rules.answers.{{one}}' in sys.modules), 'done')"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "done\n"
