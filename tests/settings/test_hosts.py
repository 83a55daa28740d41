from ipaddress import ip_network

import pytest

from relay.settings.hosts import (
    is_host_name,
    is_loopback,
    parse_host,
    parse_hostname,
    parse_listener_host,
    parse_network,
)


@pytest.mark.parametrize("value", ["relay", "relay.office.example", "mx-1.example", "a" * 63 + ".example"])
def test_names_of_ours(value: str) -> None:
    assert parse_hostname(value) == value


@pytest.mark.parametrize(
    "value", ["", "a b", "a_b.example", "-a.example", "1.2.3.4", "a..b", "a" * 64, "büro.example", 5, "x\r\ny"]
)
def test_what_is_no_name_of_ours(value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_hostname(value)


def test_hosts_are_names_or_addresses() -> None:
    assert parse_host("smtp.provider.example") == "smtp.provider.example"
    assert parse_host("büro.example") == "xn--bro-hoa.example"
    assert parse_host("::1") == "::1"
    for value in ("smtp://x", "x:y:25", "", None, "256.1.1.1"):
        with pytest.raises(ValueError, match="must be"):
            parse_host(value)
    with pytest.raises(ValueError, match='the port is a key of its own: host = "x" and port = 25'):
        parse_host("x:25")
    for value in ("", "*"):
        with pytest.raises(ValueError, match=r"0\.0\.0\.0"):
            parse_listener_host(value)


def test_networks() -> None:
    assert parse_network("192.168.1.0/24") == ip_network("192.168.1.0/24")
    assert parse_network("192.168.1.40") == ip_network("192.168.1.40/32")
    with pytest.raises(ValueError, match=r'write "192\.168\.1\.0/24" for all of it'):
        parse_network("192.168.1.40/24")
    for value in ("x", "1.2.3.4/33", 5, "::ffff:1.2.3.4", "fe80::1%eth0"):
        with pytest.raises(ValueError, match=r"must be|write it"):
            parse_network(value)


def test_what_stays_on_this_machine() -> None:
    assert [is_loopback(host) for host in ("localhost", "127.0.0.9", "::1", "example.com", "10.0.0.1")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert is_host_name("a_b.example")
    assert not is_host_name("1.2.3.4")
