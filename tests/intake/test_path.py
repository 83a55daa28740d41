import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.intake.path import BadCommandError, parse_argument, parse_forward_path, parse_reverse_path
from relay.model.address import Address

ANNA = Address(local="anna", domain="x.example")


@pytest.mark.parametrize(
    ("argument", "path", "parameters"),
    [
        ("FROM:<a@b>", "a@b", {}),
        ("from: <a@b>  SIZE=3  BODY=8BITMIME ", "a@b", {"SIZE": "3", "BODY": "8BITMIME"}),
        ("FROM:a@b SMTPUTF8", "a@b", {"SMTPUTF8": None}),
        ("FROM :<>", "", {}),
        ('FROM:<"a > b"@c>', '"a > b"@c', {}),
        ('FROM:<"\\""@c>', '"\\""@c', {}),
        ("FROM:<@x,@y:a@b>", "a@b", {}),
    ],
)
def test_arguments(argument: str, path: str, parameters: dict[str, str | None]) -> None:
    parsed = parse_argument(argument, "FROM")
    assert (parsed.path, parsed.parameters) == (path, parameters)


@pytest.mark.parametrize(
    "argument",
    ["", "FROM", "TO:<a@b>", "FROM:", "FROM:<a@b", "FROM:a@b>", "FROM:<a@b>x", "FROM:<a@b> =", "FROM:<a@b> A=1 a=2"],
)
def test_bad_arguments(argument: str) -> None:
    with pytest.raises(BadCommandError):
        parse_argument(argument, "FROM")


@given(st.text(max_size=100))
def test_any_argument_is_parsed_or_refused(text: str) -> None:
    for argument in (text, f"TO:{text}", f"TO:<{text}>", f"TO:<a@b> {text}"):
        with contextlib.suppress(BadCommandError):
            parsed = parse_argument(argument, "TO")
            parse_forward_path(parsed.path, ANNA)
        with contextlib.suppress(BadCommandError):
            parse_reverse_path(text)


def test_bare_names() -> None:
    assert parse_reverse_path("") is None
    assert parse_reverse_path("root") == Address(local="root", domain="localhost")
    assert parse_reverse_path('"a@b"') == Address(local="a@b", domain="localhost")
    assert parse_forward_path("POSTMASTER", ANNA) == ANNA
    for bare in ("anna", "postmaster"):
        with pytest.raises(BadCommandError) as error:
            parse_forward_path(bare, None)
        assert error.value.reply.enhanced == "5.1.3"


_bits = st.sampled_from(
    ["a", "@", "b.c", '"', "<", ">", " ", ":", ",", "\\", "=", "SIZE=1", "BODY=8BITMIME", "é", "\u2028"]
)


@given(st.lists(_bits, max_size=8).map("".join), st.lists(_bits, max_size=6).map("".join))
def test_the_short_way_for_plain_arguments_gives_the_same_as_the_long_one(path: str, behind: str) -> None:
    results = []
    for start in ("TO:<", " TO:<"):  # a blank in front always goes the long way
        try:
            results.append(parse_argument(f"{start}{path}>{behind}", "TO"))
        except BadCommandError as error:
            results.append(error.reply)  # type: ignore[arg-type]  # compared, not used
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("argument", "code", "enhanced"),
    [
        ("TO:<bob@gate:by@y.de>", 501, "5.1.3"),
        ("TO:<bob@gate,@x:by@y.de>", 501, "5.1.3"),
        ('TO:<"a@b">', 550, "5.1.3"),
        ('TO:<"a@b\\"c">', 550, "5.1.3"),
        ("TO:<a@[IPv6:2001:db8::zz]>", 501, "5.1.3"),
        ("TO:<" + "a" * 2_000 + "@b.example>", 501, "5.1.3"),
        ("TO:<@" + "a" * 2_000 + ":x@b.example>", 501, "5.1.3"),
    ],
)
def test_a_recipient_that_is_none_is_refused(argument: str, code: int, enhanced: str) -> None:
    with pytest.raises(BadCommandError) as error:
        parse_forward_path(parse_argument(argument, "TO").path, None)
    assert (error.value.reply.code, error.value.reply.enhanced) == (code, enhanced)


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ("TO:<bob@[IPv6:2001:db8::1]>", "bob@[IPv6:2001:db8::1]"),
        ("TO:<@a.example,@b.example:bob@y.example>", "bob@y.example"),
        ('TO:<"bob@gate:by"@y.example>', '"bob@gate:by"@y.example'),
    ],
)
def test_a_recipient_is_what_stands_behind_an_anchored_route(argument: str, address: str) -> None:
    assert str(parse_forward_path(parse_argument(argument, "TO").path, None)) == address
