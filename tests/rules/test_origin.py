import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.address import LONGEST_FIELD
from relay.rules.headers import split_fields
from relay.rules.origin import find_large_field, find_origin

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
