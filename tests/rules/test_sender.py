import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.account import Account
from relay.model.address import Address
from relay.rules.address import LONGEST_FIELD
from relay.rules.headers import apply_edits, split_fields
from relay.rules.sender import Rewrite, find_large_field, find_origin, rewrite_sender

lines = st.sampled_from(
    [b"From: a@x.example", b"From: b@x.example, c@x.example", b"From: me", b"Sender: d@x.example", b"Sender: me",
     b"To: t", b"Resent-From: e@x.example", b"Resent-Sender: f@x.example", b"Resent-Bcc: g@x.example",
     b"Resent-Date: x"]
)  # fmt: skip


@given(st.lists(lines, max_size=9))
def test_the_newest_block_is_the_topmost_run_of_resent_fields(header: list[bytes]) -> None:
    fields = split_fields(b"".join(line + b"\r\n" for line in header))
    origin = find_origin(fields)
    resent = [line.startswith(b"Resent-") for line in header]
    assert bool(origin.prefix) == any(resent)
    if origin.prefix:
        assert all(resent[n] for n in origin.block)
        assert not any(resent[: origin.block.start])
        assert not any(resent[origin.block.stop : origin.block.stop + 1])
    inside = origin.block or range(len(header))
    assert origin.from_positions == tuple(n for n in inside if fields[n].key == f"{origin.prefix}From".lower())
    assert origin.sender_positions == tuple(n for n in inside if fields[n].key == f"{origin.prefix}Sender".lower())
    assert origin.address is None or origin.address in origin.addresses


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (b"From: a@x.example\r\nSender: d@x.example\r\n", "a@x.example"),
        (b"From: a@x.example\r\nSender: d@x.example\r\nFrom: b@x.example\r\n", "d@x.example"),
        (b"From: a@x.example, b@x.example\r\nSender: me\r\n", "a@x.example"),
        (b"From: me, a@x.example\r\nSender: d@x.example\r\n", "a@x.example"),
        (b"From: me\r\nSender: d@x.example\r\n", None),
        (b"Sender: d@x.example\r\n", None),
        (b"Resent-Date: x\r\nFrom: a@x.example\r\n", None),
        (b"Resent-Bcc: x\r\nResent-From: e@x.example\r\nFrom: a@x.example\r\n", "e@x.example"),
        (b"To: t\r\nResent-To: x\r\nTo: t\r\nResent-From: e@x.example\r\n", None),
    ],
)
def test_who_decides(header: bytes, address: str | None) -> None:
    found = find_origin(split_fields(header)).address
    assert (None if found is None else str(found)) == address


def test_a_field_is_too_large_only_where_it_could_decide() -> None:
    for name in ("Sender", "Resent-From", "To"):
        header = f"{name}: {'x' * LONGEST_FIELD}\r\n".encode()
        assert find_large_field(split_fields(header)) == (None if name == "To" else name)


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


@pytest.mark.parametrize("prefix", [b"", b"Resent-"])
@pytest.mark.parametrize(
    "value",
    [
        "<sales@example.com> <boss@example.com>",
        "boss@example.com: sales@example.com;",
        "boss@example.com <sales@example.com>",
        "boss\uff20example.com <sales@example.com>",
        "<boss@example.com> sales@example.com",
        "<@x,boss@example.com,@y:sales@example.com>",
        "sales@example.com (<boss@example.com>)",
        '"x\\" <boss@example.com> \\"" <sales@example.com>',
        '"x <boss@example.com> <sales@example.com>',
        "=?utf-8?q?boss=40example.com=2C?= <sales@example.com>",
        "=?utf-8?q?boss?=@example.com <sales@example.com>",
        "'boss@example.com' <sales@example.com>",
        "=?utf-8?q?a\"b?= 'boss@example.com' =\" <sales@example.com>",
        "boss@exam\r\n ple.com\r\n <sales@example.com>",
        "sales@example.com <>",
        "sales@example.com, boss",
        "sales@\r\n example.com",
        "sales@example.com\x00",
        "\x00 <sales@example.com>",
    ],
)
def test_a_sender_that_others_may_read_in_another_way_goes(value: str, prefix: bytes) -> None:
    header = prefix + b"From: a@b.example\r\n" + prefix + b"Sender: " + value.encode() + b"\r\n"
    assert rewritten(header, keep_reply_to=False)[0] == prefix + b"From: sales@example.com\r\n"


@pytest.mark.parametrize("prefix", [b"", b"Resent-"])
@pytest.mark.parametrize(
    "value",
    [
        b"sales@example.com",
        b"<Sales@EXAMPLE.com>",
        b"Sales Team <sales@example.com>",
        b"Dr. O'Sales\r\n\t<sales@example.com>",
        b'"Sales, boss@example.com" <sales@example.com>',
        b"=?utf-8?q?Verk=C3=A4ufe?= <sales@example.com>",
        "Verk\u00e4ufe <sales@example.com>".encode(),
        b"Verk\xe4ufe <sales@example.com>",
    ],
)
def test_a_plain_sender_of_the_account_stays(value: bytes, prefix: bytes) -> None:
    header = prefix + b"From: a@b.example\r\n" + prefix + b"Sender: " + value + b"\r\n"
    assert rewritten(header, keep_reply_to=False)[0] == header.replace(b"a@b.example", b"sales@example.com")
