from relay.model.account import Account
from relay.model.address import Address
from relay.rules.headers import apply_edits, split_fields
from relay.rules.origin import find_origin
from relay.rules.rewriting import Rewrite, rewrite_sender

SALES = Account(name="sales", address=Address(local="sales", domain="example.com"), owner="anna")


def rewritten(header: bytes, *, keep_reply_to: bool = True) -> tuple[bytes, Rewrite]:
    fields = split_fields(header)
    rewrite = rewrite_sender(fields, find_origin(fields), SALES, why="rule 3", keep_reply_to=keep_reply_to)
    return apply_edits(header, rewrite.edits), rewrite


def test_what_depends_on_the_sender_goes_with_it() -> None:
    after, rewrite = rewritten(
        b"DKIM-Signature: h=sender\r\nSender: a@b.example\r\nFrom: A <a@b.example>\r\nfrom: c@d.example\r\nTo: t\r\n"
    )
    assert after == b"From: sales@example.com\r\nTo: t\r\nReply-To: a@b.example\r\n"
    assert len(rewrite.steps) == 3
    assert all(edit.why for edit in rewrite.edits)


def test_a_signature_over_other_fields_and_a_sender_of_the_account_stay() -> None:
    header = b"DKIM-Signature: h=To:Subject\r\nSender: Sales@EXAMPLE.com\r\nFrom: a@b.example\r\n"
    after, _ = rewritten(header, keep_reply_to=False)
    assert after == header.replace(b"a@b.example", b"sales@example.com")


def test_a_signature_that_does_not_say_what_it_covers_goes() -> None:
    assert rewritten(b"DKIM-Signature: v=1\r\nFrom: me\r\n")[0] == b"From: sales@example.com\r\n"


def test_nothing_is_added_to_the_answers_of_a_resent_mail() -> None:
    after, _ = rewritten(b"Received: x\r\nResent-To: a@b.example\r\nFrom: c@d.example\r\nReply-To:\r\n")
    assert after == (
        b"Received: x\r\nResent-From: sales@example.com\r\nResent-To: a@b.example\r\nFrom: c@d.example\r\nReply-To:\r\n"
    )
