import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.address import ascii_domain
from relay.rules.domains import readable_address, readable_domain


def wire(domain: str) -> str:
    return idna.encode(domain).decode("ascii")


@pytest.mark.parametrize("domain", ["müller.example", "straße.example", "büro.łódź.example", "français.example"])
def test_european_domains_are_shown_as_people_write_them(domain: str) -> None:
    assert readable_domain(wire(domain)) == domain
    assert readable_domain(domain) == domain
    assert readable_address(f"info@{wire(domain)}") == f"info@{domain}"


@pytest.mark.parametrize(
    "domain",
    [
        "\u043f\u043e\u0447\u0442\u0430.example",
        "\u0430\u0440\u0440\u04cf\u0435.example",
        "\u65e5\u672c.example",
        "\u03c0\u03b1\u03c1\u03ac\u03b4\u03b5\u03b9\u03b3\u03bc\u03b1.example",
    ],
)
def test_another_alphabet_is_shown_with_its_a_labels(domain: str) -> None:
    assert readable_domain(wire(domain)) == f"{domain} ({wire(domain)})"


@pytest.mark.parametrize(
    "domain", ["p\u0430ypal.example", "g\u043e\u043egle.example", "\u0251pple.example", "\u0131bank.example"]
)
def test_mixed_alphabets_and_look_alikes_are_not_shown(domain: str) -> None:
    assert readable_domain(wire(domain)) == wire(domain)


@pytest.mark.parametrize(
    "domain", ["example.net", "[192.0.2.1]", "xn--.example", "xn--zzzzzz.example", "xn--mller-kva", "", "a..b", "XN--A"]
)
def test_what_is_no_such_domain_stays_as_it_is(domain: str) -> None:
    assert readable_domain(domain) in (domain, "müller", domain.lower())


def test_what_has_no_domain_stays_as_it_is() -> None:
    assert readable_address("anna") == "anna"


@given(st.text(max_size=300))
def test_nothing_raises_and_what_is_shown_means_the_same_domain(text: str) -> None:
    shown = readable_domain(text)
    assert ascii_domain(shown.partition(" (")[0]) == ascii_domain(text) or shown.isascii() or " " in text
    readable_address(text)
