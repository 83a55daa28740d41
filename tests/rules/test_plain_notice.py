"""A notice of paragraphs: a plain text that says it was made automatically, into which nothing can break."""

import email
import email.policy
from datetime import UTC, datetime

import pytest

from relay.model.account import User
from relay.rules.address import parse_addr_spec
from relay.rules.notice import Letterhead
from relay.rules.plain_notice import plain_notice


@pytest.mark.parametrize("language", ["de", "en"])
def test_it_is_a_plain_text_with_our_loop_field(language: str) -> None:
    head = Letterhead(
        language=language,
        hostname="relay.office.example",
        notice_id="01abc",
        at=datetime(2026, 5, 28, tzinfo=UTC),
        sender=parse_addr_spec("sales@example.com"),
        reader=User(name="anna", address=parse_addr_spec("anna@example.com")),
    )
    notice = plain_notice(head, "Größe\r\nBcc: x@y.example", ("eins", "", "zwei\ndrei"))
    mail = email.message_from_bytes(notice.header + b"\r\n" + notice.body, policy=email.policy.default)
    assert mail["Subject"] == notice.subject == "Größe Bcc: x@y.example"
    assert (mail["Auto-Submitted"], mail["Relay-Loop"]) == ("auto-generated", "relay.office.example")
    assert mail["Message-ID"] == notice.message_id == "<01abc@example.com>"
    assert (mail["Bcc"], mail.get_content_type()) == (None, "text/plain")
    first, second, closing = "\n".join(mail.get_content().strip().splitlines()).split("\n\n")
    assert (first, second) == ("eins", "zwei\ndrei")
    assert "relay.office.example" in closing
