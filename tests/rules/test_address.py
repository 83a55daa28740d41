import contextlib
import time
from email.headerregistry import Address as StandardAddress
from email.utils import getaddresses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.model.address import Address
from relay.rules.address import (
    LONGEST_FIELD,
    Mailbox,
    _mailbox,
    _split,
    check_domain,
    format_mailbox,
    parse_addr_spec,
    parse_mailboxes,
)
from relay.rules.charsets import decode_words


def read(value: str | bytes) -> list[tuple[str, str | None]]:
    raw = value if isinstance(value, bytes) else value.encode()
    return [(m.display_name, None if m.address is None else str(m.address)) for m in parse_mailboxes(raw)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.example", [("", "a@b.example")]),
        ("<a@b.example>", [("", "a@b.example")]),
        ("Anna Schmidt <a@b.example>", [("Anna Schmidt", "a@b.example")]),
        ('"Schmidt, Anna" <a@b.example>', [("Schmidt, Anna", "a@b.example")]),
        ('"say \\"hi\\"" <a@b.example>', [('say "hi"', "a@b.example")]),
        ("a@b.example (Anna)", [("Anna", "a@b.example")]),
        ("(a (nested) comment) a@b.example", [("a (nested) comment", "a@b.example")]),
        ("Anna (home) <a@b.example>", [("Anna", "a@b.example")]),
        ("=?utf-8?q?J=C3=BCrgen?= <j@b.example>", [("Jürgen", "j@b.example")]),
        ("=?utf-8?b?SsO8?= =?utf-8?q?rgen?= <j@b.example>", [("Jürgen", "j@b.example")]),
        ('"=?iso-8859-1?q?J=FCrgen?=" <j@b.example>', [("Jürgen", "j@b.example")]),
        ("a@b.example, c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
        ("a@b.example; c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
        ("Team: Anna <a@b.example>, c@d.example;", [("Anna", "a@b.example"), ("", "c@d.example")]),
        ("Undisclosed recipients:;", []),
        ("<@x.example,@y.example:a@b.example>", [("", "a@b.example")]),
        ('"john doe"@b.example', [("", '"john doe"@b.example')]),
        ("john . doe @ b . example", [("", "john.doe@b.example")]),
        ("scanner@[192.0.2.1]", [("", "scanner@[192.0.2.1]")]),
        ("scanner@[IPv6:2001:db8::1]", [("", "scanner@[IPv6:2001:db8::1]")]),
        ("jürgen@bücher.example", [("", "jürgen@bücher.example")]),
        ("Scanner scanner@office.example", [("Scanner", "scanner@office.example")]),
        # What has no address, or not exactly one, is none.
        ("", []),
        ("  ,, ", []),
        ("<>", [("", None)]),
        ("scanner", [("", None)]),
        ("Scanner <scanner>", [("Scanner", None)]),
        ("a@b@c.example", [("", None)]),
        ("<a b@c.example>", [("", None)]),
        ("a@b.example d@e.example", [("", None)]),
        ("a@", [("", None)]),
        ("@b.example", [("", None)]),
        ("a@b..example", [("", None)]),
        ("a@-b.example", [("", None)]),
        (b"J\xfcrgen <j@b.example>", [("Jürgen", "j@b.example")]),
        # Broken off, it still gives what it can.
        ("Anna <a@b.example", [("Anna", "a@b.example")]),
        ('"Anna', [("", None)]),
        ("(Anna", []),
    ],
)
def test_address_lists_of_real_mail(value: str | bytes, expected: list[tuple[str, str | None]]) -> None:
    assert read(value) == expected


def test_an_encoded_control_character_does_not_get_into_a_name() -> None:
    ((name, address),) = read("=?utf-8?q?Anna=0D=0ABcc:_x@y.example?= <a@b.example>")
    assert (name, address) == ("Anna Bcc: x@y.example", "a@b.example")


@given(st.binary(max_size=300))
def test_any_bytes_are_read(value: bytes) -> None:
    for mailbox in parse_mailboxes(value):
        assert mailbox.display_name == decode_words(mailbox.display_name) or "=?" in mailbox.display_name
        if mailbox.address is not None:
            assert check_domain(mailbox.address.domain)
            assert parse_mailboxes(str(mailbox.address).encode())[0].address == mailbox.address


@given(st.text(alphabet='ab@.,;:<>()[]"\\ =?', max_size=60))
def test_an_address_read_is_one_that_can_be_written(value: str) -> None:
    for mailbox in parse_mailboxes(value.encode()):
        if mailbox.address is not None:
            assert parse_addr_spec(str(mailbox.address)) == mailbox.address


locals_ = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=16).filter(
    lambda local: len(local.encode()) <= 64
)
domains = st.from_regex(r"[a-z][a-z0-9]{0,10}(\.[a-z]{2,8}){1,2}", fullmatch=True)
addresses = st.builds(lambda local, domain: Address(local=local, domain=domain), locals_, domains)


@given(addresses)
@example(Address(local='a"\\b', domain="x.example"))
@example(Address(local=" ", domain="x.example"))
def test_an_address_survives_being_written_and_read(address: Address) -> None:
    assert parse_addr_spec(str(address)) == address
    assert [m.address for m in parse_mailboxes(f"<{address}>".encode())] == [address]


@given(name=st.text(max_size=200), address=addresses)
def test_a_mailbox_survives_being_written_and_read(name: str, address: Address) -> None:
    value = format_mailbox(name, address)
    assert all(len(line) <= 78 or b"@" in line for line in value.split(b"\r\n"))
    assert b"\n" not in value.replace(b"\r\n ", b"")
    (mailbox,) = parse_mailboxes(value.replace(b"\r\n", b""))
    assert mailbox.address == address
    if "=?" not in name:
        assert mailbox.display_name == decode_words(name)


@given(name=st.text(st.characters(codec="ascii", exclude_characters="=?"), max_size=50), domain=domains)
def test_the_standard_library_reads_what_we_write(name: str, domain: str) -> None:
    address = Address(local="sales", domain=domain)
    value = format_mailbox(name, address).decode()
    ((read_name, spec),) = getaddresses([value])
    assert spec == str(StandardAddress(username="sales", domain=domain))
    assert read_name.split() == decode_words(name).split()


@pytest.mark.parametrize(
    "text",
    ["", "a", "@b.example", "a@", "a b@c.example", "a@b c", "a@b\n.example", "a@@b.example", '"a@b.example',
     '"a"b@c.example', "x" * 65 + "@b.example", "a@" + "b" * 64 + ".example", "a@[1.2.3.4",
     "a@\ud800.example", "a@b_c..example"],
)  # fmt: skip
def test_what_is_no_addr_spec_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(has|is|must)\b"):
        parse_addr_spec(text)


@given(st.text(max_size=80))
def test_parsing_any_text_gives_an_address_or_a_reason(text: str) -> None:
    with contextlib.suppress(ValueError):
        address = parse_addr_spec(text)
        assert parse_addr_spec(str(address)).key == address.key


def test_addresses_are_compared_without_case_and_by_their_a_labels() -> None:
    keys = {parse_addr_spec(t).key for t in ("Jo@Bücher.example", "jo@xn--bcher-kva.EXAMPLE", "JO@BÜCHER.example.")[:2]}
    assert len(keys) == 1
    assert parse_addr_spec("jo@b.example").key != parse_addr_spec("jo.@b.example".replace("jo.", "jo_")).key


@pytest.mark.parametrize(
    "value",
    [b"(" * 80_000, b'"' + b"\\" * 80_000, b"a," * 40_000, b"<" + b"," * 80_000, b"=?utf-8?q?" * 20_000,
     b"=?u?q??=" + b" " * 80_000, b"a " * 40_000 + b"@b.example", b"a@" + b"b. " * 30_000, b":" * 80_000,
     b"[" * 80_000, b"<@a" + b":" * 80_000, b"=?a?b?" + b"A" * 80_000 + b"?= <a@b.example>"],
    ids=lambda value: value[:12].decode(),
)  # fmt: skip
def test_hostile_lists_take_linear_time(value: bytes) -> None:
    began = time.process_time()
    parse_mailboxes(value[: len(value) // 8])
    small = time.process_time() - began
    began = time.process_time()
    assert isinstance(parse_mailboxes(value), tuple)
    # Eight times the length: 64 times the time would be quadratic. The floor swallows what the clock can't see.
    assert time.process_time() - began < max(30 * small, 0.3)


def test_a_mailbox_is_a_value() -> None:
    assert parse_mailboxes(b"A <a@b.example>") == (
        Mailbox(display_name="A", address=Address(local="a", domain="b.example")),
    )


_bits = st.sampled_from(
    ["a", "b.c", " ", '"', "<", ">", "@", "x.example", "-", "_", ".", ",", "(", "c)", "=?", "\\", "é", "[1.2.3.4]",
     "A" * 64, "b" * 63, '"Name X"', "Sales", "<a@b.example>", "\t", ";", ":", "/"]
)  # fmt: skip
_texts = st.lists(_bits, max_size=9).map("".join)


@given(_texts)
def test_the_short_way_for_plain_mailboxes_gives_the_same_as_the_long_one(text: str) -> None:
    long_way = tuple(found for tokens in _split(text) if (found := _mailbox(tokens)) is not None)
    assert parse_mailboxes(text.encode()) == long_way


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("a@[192.0.2.1]", True),
        ("a@[IPv6:2001:db8::1]", True),
        ("a@[ipv6:::1]", True),
        ("a@[2001:db8::1]", False),
        ("a@[IPv6:192.0.2.1]", False),
        ("a@[300.0.2.1]", False),
        ("a@[tag:x]", False),
        ("a@[]", False),
    ],
)
def test_an_address_literal_is_an_ip_address(text: str, *, good: bool) -> None:
    if good:
        assert str(parse_addr_spec(text)) == text
    else:
        with pytest.raises(ValueError, match="literal"):
            parse_addr_spec(text)


def test_a_field_longer_than_any_list_is_not_parsed() -> None:
    assert len(parse_mailboxes(b"a@b.example," * (LONGEST_FIELD // 12))) > 2_000
    assert parse_mailboxes(b"a@b.example" + b" " * LONGEST_FIELD) == ()


def test_a_comma_far_behind_an_angle_bracket_still_belongs_to_a_route() -> None:
    (mailbox,) = parse_mailboxes(b"<" + b"@a.example," * 50 + b"@b.example:x@y.example>")
    assert str(mailbox.address) == "x@y.example"
