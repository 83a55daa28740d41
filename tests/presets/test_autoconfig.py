"""A stranger's XML: what is read of it, and what is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.account import Security
from relay.presets.autoconfig import LARGEST, PORTS, AutoconfigError, Offer, read_autoconfig
from relay.presets.preset import Login
from relay.presets.public import is_public_name


def server(kind: str = "smtp", **changed: str) -> str:
    values = {
        "hostname": "mail.example.com",
        "port": "465",
        "socketType": "SSL",
        "username": "%EMAILADDRESS%",
        "authentication": "password-cleartext",
    } | changed
    tag = "outgoingServer" if kind == "smtp" else "incomingServer"
    return f'<{tag} type="{kind}">' + "".join(f"<{key}>{value}</{key}>" for key, value in values.items()) + f"</{tag}>"


def file(*servers: str, domain: str = "example.com", version: str = "1.1", before: str = "") -> bytes:
    inside = f'<emailProvider id="x"><domain>{domain}</domain>{"".join(servers)}</emailProvider>'
    return f'{before}<clientConfig version="{version}">{inside}</clientConfig>'.encode()


def test_the_first_acceptable_server_of_each_kind_is_read() -> None:
    content = file(
        server("imap", port="993"),
        server("pop3", port="110", socketType="plain"),
        server("pop3", port="995", username="%EMAILLOCALPART%"),
        server(port="587", socketType="STARTTLS"),
        server(),
        before='<?xml version="1.0" encoding="UTF-8"?>',
    )
    host = "mail.example.com"
    assert read_autoconfig(content, "example.com") == (
        Offer(kind="imap", host=host, port=993, security=Security.TLS, login=Login.ADDRESS),
        Offer(kind="pop3", host=host, port=995, security=Security.TLS, login=Login.LOCAL_PART),
        Offer(kind="smtp", host=host, port=587, security=Security.STARTTLS, login=Login.ADDRESS),
    )


@pytest.mark.parametrize(
    ("element", "kind", "port"),
    [("incomingServer", "smtp", "465"), ("outgoingServer", "pop3", "995"), ("outgoingServer", "imap", "993")],
)
def test_a_server_of_a_kind_that_its_element_can_not_have_is_none(element: str, kind: str, port: str) -> None:
    other = "incomingServer" if element == "outgoingServer" else "outgoingServer"
    with pytest.raises(AutoconfigError, match="offers no server"):
        read_autoconfig(file(server(kind, port=port).replace(other, element)), "example.com")


@pytest.mark.parametrize(
    "changed",
    [
        {"socketType": "plain"},
        {"socketType": "auto"},
        {"hostname": "127.0.0.1"},
        {"hostname": "[::1]"},
        {"hostname": "localhost"},
        {"hostname": "nas.local"},
        {"hostname": "mail.example.com\nEHLO x"},
        {"hostname": "mail.example.com/x"},
        {"port": "2525"},
        {"port": "0465"},
        {"port": "995"},
        {"port": "x"},
        {"username": "%EMAILDOMAIN%"},
        {"username": "root"},
        {"authentication": "OAuth2"},
        {"authentication": "none"},
        {"authentication": "client-IP-address"},
    ],
)
def test_a_server_that_must_be_refused_is(changed: dict[str, str]) -> None:
    with pytest.raises(AutoconfigError, match="offers no server"):
        read_autoconfig(file(server(**changed)), "example.com")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no XML"),
        (b"<html>", "no autoconfig of version"),
        (file(server(), version="1.0"), "no autoconfig of version"),
        (file(server(), domain="other.example"), "for other domains"),
        (file(server(), domain="sub.example.com"), "for other domains"),
        (file(server(), before="<!DOCTYPE clientConfig>"), "what no autoconfig needs"),
        (file(server(), before='<!DOCTYPE c [<!ENTITY a "b">]>'), "what no autoconfig needs"),
        (file(server(), before='<!DOCTYPE c SYSTEM "http://evil.example/x">'), "what no autoconfig needs"),
        (file(server(), before="<?php x?>"), "what no autoconfig needs"),
        (file(server("smtp", hostname="&evil;")), "no XML"),
        (file("<a>" * 20 + "</a>" * 20), "too many elements"),
        (file("<a/>" * 3000), "too many elements"),
        (file(server()) + b" " * LARGEST, "larger than 64 KiB"),
        (file(server()) + b"<x/>", "no XML"),
        ('<?xml version="1.0" encoding="UTF-16"?>'.encode("utf-16") + file(server()), "no XML"),
    ],
)
def test_a_file_that_must_be_refused_is(content: bytes, reason: str) -> None:
    with pytest.raises(AutoconfigError, match=reason):
        read_autoconfig(content, "example.com")


def test_where_tokens_are_to_be_had_is_not_taken_from_a_stranger() -> None:
    evil = "<oAuth2><issuer>evil.example</issuer><authURL>https://evil.example/</authURL></oAuth2>"
    content = file(server(authentication="OAuth2</authentication><authentication>plain")).replace(
        b"</emailProvider>", b"</emailProvider>" + evil.encode()
    )
    (offer,) = read_autoconfig(content, "example.com")
    assert "evil" not in repr(offer)


values = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["mail.example.com", "465", "993", "SSL", "plain", "%EMAILADDRESS%", "password-cleartext", "&lt;"]),
)


keys = st.sampled_from(["hostname", "port", "socketType", "username", "authentication"])
kinds = st.sampled_from(["smtp", "pop3", "imap", "x"])


@given(st.lists(st.tuples(kinds, st.dictionaries(keys, values)), max_size=4))
def test_what_is_read_is_always_acceptable(servers: list[tuple[str, dict[str, str]]]) -> None:
    content = file(*(server(kind, **changed) for kind, changed in servers)).decode().encode("utf-8", "replace")
    try:
        offers = read_autoconfig(content, "example.com")
    except AutoconfigError:
        return
    for offer in offers:
        assert offer.port in PORTS[offer.kind]
        assert offer.security is not Security.NONE
        assert is_public_name(offer.host)


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_raise_nothing_else(junk: bytes) -> None:
    for content in (junk, file(server()).replace(b"mail", junk, 1)):
        with contextlib.suppress(AutoconfigError):
            read_autoconfig(content, "example.com")
