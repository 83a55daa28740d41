"""The oracle's own reading of addresses, by examples whose meaning RFC 5322 and RFC 2047 leave no doubt about."""

import pytest

from tests.oracle.grammar import key_of, read_mailboxes


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("Anna@Example.COM", ["anna@example.com"]),
        ('"sales@example.com" <anna@example.com>', ["anna@example.com"]),
        ("(sales@example.com) anna (x) @ (y (z) \\) ,) example . com", ["anna@example.com"]),
        ("<@a.example,@b.example:anna@example.com>", ["anna@example.com"]),
        ("Team (a: b;) : anna@example.com, Bert <bert@example.com>;, ,chef@example.com", ["anna", "bert", "chef"]),
        ('"an\\"na"@example.com', ['an"na@example.com']),
        ("=?utf-8?q?=3Csales=40example=2Ecom=3E?= <anna@example.com>", ["anna@example.com"]),
        ("anna, Anna <anna>", ["anna@", "anna@"]),
        ("x@müller.example, x@xn--mller-kva.example", ["x@xn--mller-kva.example"] * 2),
        ("x@[192.0.2.7]", ["x@[192.0.2.7]"]),
        ("Nobody:; , <>, Anna Schmidt, ''(@)", ["''@"]),
        ("", []),
    ],
)
def test_a_list_has_its_addresses(value: str, keys: list[str]) -> None:
    wanted = [key if "@" in key else f"{key}@example.com" for key in keys]
    assert [mailbox.key for mailbox in read_mailboxes(value)] == wanted


def test_equal_addresses_have_one_key() -> None:
    assert key_of("Ju\u0308rgen@example.com") == key_of("JÜRGEN@EXAMPLE.COM") == key_of('"jürgen"@example.com')
    assert key_of("weiß@example.com") != key_of("weiss@example.com")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Anna Schmidt <a@b.example>", "Anna Schmidt"),
        ('"Schmidt,  Anna" <a@b.example>', "Schmidt, Anna"),
        ("John Q. Public <a@b.example>", "John Q. Public"),
        ("=?iso-8859-1?q?M=FCller?= =?utf-8?b?IMO8?= & =?utf-8?q?S=C3=B6hne?= <a@b.example>", "Müller ü & Söhne"),
    ],
)
def test_an_address_has_its_name(value: str, name: str) -> None:
    assert read_mailboxes(value)[0].names == {name}
