import unicodedata

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.address import Address, _a_labels, _key, ascii_domain, quote_local
from relay.rules.address import parse_mailboxes


def test_the_key_ignores_case_and_the_spelling_of_the_domain() -> None:
    spellings = [("Jo", "BÜCHER.example"), ("jo", "xn--bcher-kva.example"), ("JO", "bücher.example.")]
    assert len({Address(local=local, domain=domain).key for local, domain in spellings}) == 1


def test_a_domain_that_idna_refuses_is_only_lowered() -> None:
    assert ascii_domain("\u2603\u200d.EXAMPLE") == "\u2603\u200d.example"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What idna is asked to encode, with nothing remembered from before."""
    domains: list[str] = []
    encode = idna.encode

    def record(domain: str, **options: bool) -> bytes:
        domains.append(domain)
        return encode(domain, **options)

    monkeypatch.setattr(idna, "encode", record)
    _a_labels.cache_clear()
    _key.cache_clear()
    return domains


@pytest.mark.parametrize(
    "domain",
    ["ä" * 1_001, "\u0301" * 1_001, "ä." * 500 + "a", "\ufb2c" * 334, "\u0130" * 501, "x" * 1_000 + "ä"],
    ids=["letters", "marks", "labels", "composed to three", "lowered to two", "ASCII before it"],
)
def test_idna_never_sees_more_than_a_thousand_characters(asked: list[str], domain: str) -> None:
    assert not ascii_domain(domain).isascii()
    assert asked == []


def test_idna_sees_all_that_is_not_longer(asked: list[str]) -> None:
    for length in (64, 65, 999, 1_000):
        ascii_domain("ä" * length)
    assert [len(domain) for domain in asked] == [64, 65, 999, 1_000]


def test_a_domain_of_a_list_is_encoded_once(asked: list[str]) -> None:
    domains = [f"bücher{n}.example" for n in range(1_200)]
    mailboxes = parse_mailboxes(", ".join(f"a@{domain}" for domain in domains).encode())
    keys = [one.address.key for one in mailboxes if one.address]
    assert keys == [f"a@{idna.encode(domain).decode()}" for domain in domains]
    assert asked == domains * 2  # the second time above


@given(st.text(max_size=70), st.text(alphabet="aäÄß\u0301\u3002.-İ\u200d", max_size=70))
def test_what_is_remembered_is_what_idna_says(one: str, two: str) -> None:
    for domain in (one, two):
        lowered = unicodedata.normalize("NFC", domain).lower().rstrip(".")
        try:
            expected = lowered if lowered.isascii() else idna.encode(lowered, uts46=True).decode().lower()
        except idna.IDNAError:
            expected = lowered
        assert ascii_domain(domain) == ascii_domain(domain) == expected


def test_the_wire_form_needs_smtputf8_for_the_local_part_alone() -> None:
    assert Address(local="jo", domain="bücher.example").wire == "jo@xn--bcher-kva.example"
    assert Address(local="jö", domain="bücher.example").wire == "jö@bücher.example"


@given(st.text(min_size=1))
def test_a_quoted_local_part_reads_back(local: str) -> None:
    quoted = quote_local(local)
    if quoted != local:
        assert quoted.startswith('"')
        assert quoted.endswith('"')
        assert quoted[1:-1].replace('\\"', '"').replace("\\\\", "\\") == local or "\\" in local


def test_case_is_not_folded_and_forms_are_composed() -> None:
    def key(local: str) -> str:
        return Address(local=local, domain="EXAMPLE.com").key

    assert key("Weiß") == key("weiß") != key("weiss")
    assert key("Mu\u0308ller") == key("müller")
    assert Address(local="a", domain="BÜCHER.example").key == Address(local="A", domain="xn--bcher-kva.example").key
