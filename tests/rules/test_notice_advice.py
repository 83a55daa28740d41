from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.reply import Reply
from relay.rules.notice_advice import Advice, choose_advice


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
