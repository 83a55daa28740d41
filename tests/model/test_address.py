from hypothesis import given
from hypothesis import strategies as st

from relay.model.address import Address, ascii_domain, quote_local


def test_the_key_ignores_case_and_the_spelling_of_the_domain() -> None:
    spellings = [("Jo", "BÜCHER.example"), ("jo", "xn--bcher-kva.example"), ("JO", "bücher.example.")]
    assert len({Address(local=local, domain=domain).key for local, domain in spellings}) == 1


def test_a_domain_that_idna_refuses_is_only_lowered() -> None:
    assert ascii_domain("\u2603\u200d.EXAMPLE") == "\u2603\u200d.example"


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
