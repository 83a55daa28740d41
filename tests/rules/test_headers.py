import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.route import Edit, RemoveFields, SetField
from relay.rules.headers import apply_edits, find_values, is_signed, split_fields

BLOCK = (
    b"Received: from a\r\n\tby b\r\n"
    b"From : Anna <a@b.example>\r\n"
    b"X-Odd\r\n"
    b"Subject: one\r\n two\r\n"
    b"to: c@d.example\r\n"
    b"TO: e@f.example\r\n"
)


def test_a_block_is_split_into_fields_that_join_to_it_again() -> None:
    fields = split_fields(BLOCK)
    assert [field.key for field in fields] == ["received", "from", "", "subject", "to", "to"]
    assert b"".join(field.raw for field in fields) == BLOCK
    assert [field.value for field in fields][1:4] == [b"Anna <a@b.example>", b"X-Odd", b"one two"]


line = st.one_of(
    st.sampled_from([b"From: a@b.example", b" folded", b"\tfolded", b"X:", b"no field", b"", b"\xff\xfe: x", b"A : b"]),
    st.binary(max_size=20).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b"")),
)
# A header never begins with a folded line: such a mail has none.
blocks = st.lists(line, max_size=20).map(lambda lines: b"".join(one + b"\r\n" for one in lines).lstrip(b" \t"))
names = st.sampled_from(["From", "X", "A", "Resent-From", "New"])
removals: st.SearchStrategy[Edit] = st.builds(lambda name: RemoveFields(name=name), names)
additions: st.SearchStrategy[Edit] = st.builds(lambda name: SetField(name=name, value=b" new"), names)
edits: st.SearchStrategy[list[Edit]] = st.lists(st.one_of(removals, additions), max_size=3)


@given(blocks)
def test_any_block_joins_to_itself(block: bytes) -> None:
    assert b"".join(field.raw for field in split_fields(block)) == block
    assert apply_edits(block, ()) == block


@given(block=blocks, changes=edits)
def test_what_no_edit_names_keeps_its_bytes_and_its_order(block: bytes, changes: list[Edit]) -> None:
    named = {edit.name.lower() for edit in changes}
    after = apply_edits(block, changes)
    kept = [field.raw for field in split_fields(block) if field.key not in named]
    assert [field.raw for field in split_fields(after) if field.key not in named] == kept
    removed = {edit.name.lower() for edit in changes if isinstance(edit, RemoveFields)}
    added = [edit for edit in changes if isinstance(edit, SetField)]
    for name in removed:
        assert len(find_values(after, name)) == sum(edit.name.lower() == name for edit in added)


def test_edits_name_positions_of_the_original() -> None:
    changes: list[Edit] = [
        SetField(name="To", value=b" x@y.example", position=5),
        RemoveFields(name="To", positions=frozenset({4})),
    ]
    assert apply_edits(BLOCK, changes) == BLOCK.replace(b"to: c@d.example\r\nTO: e@f.example", b"To: x@y.example")


def test_a_new_field_comes_last_or_before_a_named_one() -> None:
    block = b"Resent-To: a@b.example\r\nTo: c@d.example\r\n"
    assert apply_edits(block, [SetField(name="From", value=b" x")]) == block + b"From: x\r\n"
    assert apply_edits(block, [SetField(name="Resent-From", value=b" x", before=0)]) == b"Resent-From: x\r\n" + block
    removed: list[Edit] = [SetField(name="A", value=b" b", before=1), RemoveFields(name="To")]
    assert apply_edits(block, removed) == b"Resent-To: a@b.example\r\nA: b\r\n"
    assert apply_edits(b"", [SetField(name="From", value=b" x")]) == b"From: x\r\n"


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Type: multipart/signed; protocol=x",
        b"content-type:\r\n Multipart/Encrypted",
        b"Content-Type: application/pkcs7-mime",
        b"Content-Type: application/x-pkcs7-signature",
        b"DKIM-Signature: v=1",
    ],
)
def test_signed_mail_is_known(field: bytes) -> None:
    assert is_signed(BLOCK + field + b"\r\n")


def test_other_mail_is_not_signed() -> None:
    assert not is_signed(BLOCK + b"Content-Type: multipart/mixed; x=multipart/signed\r\n")


@pytest.mark.parametrize(
    "value",
    [
        "Multipart/Signed; x",
        "multipart/encrypted",
        "application/X-PKCS7-mime",
        "application/pkcs7-signature",
        "application/PGP-encrypted",
    ],
)
def test_what_is_signed_is_known_and_what_only_speaks_of_it_is_not(value: str) -> None:
    block = f"From: a@x.example\r\nContent-Type:\r\n {value}\r\n".encode()
    assert is_signed(block)
    assert not is_signed(block.replace(b"Content-Type", b"Subject"))


_lines = st.sampled_from(
    [b"A", b":", b" ", b"\t", b"\r\n", b"\n", b"\r", b"Subject: x\r\n", b" y\r\n", b"\xff", b"\x00"]
)


@given(st.lists(_lines, max_size=14).map(b"".join))
def test_any_block_is_split_as_line_by_line(block: bytes) -> None:
    expected: list[bytes] = []
    for line in re.findall(rb"[^\n]*\n|[^\n]+", block):
        if expected and line[:1] in (b" ", b"\t"):
            expected[-1] += line
        else:
            expected.append(line)
    fields = split_fields(block)
    assert [field.raw for field in fields] == expected
    names = [re.match(rb"([!-9;-~]+)[ \t]*:", raw) for raw in expected]
    assert [field.name.encode() for field in fields] == [name[1] if name else b"" for name in names]


def test_a_long_block_is_split_as_a_short_one() -> None:
    block = b"Subject: x\r\n y\r\n" * 2000
    assert [field.raw for field in split_fields(block)] == [b"Subject: x\r\n y\r\n"] * 2000
