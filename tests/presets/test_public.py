from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.presets.public import is_public_address, is_public_name


@pytest.mark.parametrize(
    "name", ["mail.example.com", "xn--mller-kva.de", "a.b", "1.example.net", "mail.fritzbox.box", "my-fritz.box"]
)
def test_a_public_name(name: str) -> None:
    assert is_public_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "localhost",
        "mail",
        "127.0.0.1",
        "[::1]",
        "::1",
        "nas.local",
        "x.lan",
        "x.internal",
        "a..b",
        "a_b.c",
        "0x7f.0x1",
        "a b.c",
        "a.b.",
        "-a.b",
        "A.B",
        "a.b\n",
        "é.de",
        "x" * 64 + ".de",
        "a." * 130 + "de",
        "1.0.0.127.in-addr.arpa",
        "fritz.box",
        "nas.fritz.box",
        "easy.box",
        "speedport.ip",
        "mail.test",
        "mail.invalid",
        "mail.example",
        "mail.alt",
    ],
)
def test_no_public_name(name: str) -> None:
    assert not is_public_name(name)


@given(st.text(max_size=40))
def test_any_text_is_judged(text: str) -> None:
    assert is_public_name(text) in (True, False)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822", "::ffff:93.184.216.34"])
def test_a_public_address(address: str) -> None:
    assert is_public_address(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
     "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "240.0.0.1",
     "fec0::1", "3fff::1", "4000::1", "5f00::1", "2001:20::1", "192.0.0.8", "192.0.0.9", "192.88.99.1",
     "64:ff9b::c000:8", "64:ff9b:1::5db8:d822", "::5db8:d822", "2001:db8::1"],
)  # fmt: skip
def test_no_public_address(address: str) -> None:
    assert not is_public_address(ip_address(address))
