"""A certificate is read as OpenSSL reads it; what is none is none."""

import base64
import datetime as dt
import ssl

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.certificates import Certificate, read_certificate, read_pem, warn_at

AUTHORITY = trustme.CA(organization_name="Example Authority")
DAY = dt.datetime(2026, 3, 1, 12, 30, tzinfo=dt.UTC)


def der_of(leaf: trustme.LeafCert) -> bytes:
    return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())


def test_names_issuer_and_times_are_read() -> None:
    leaf = AUTHORITY.issue_cert("mail.example", "*.example.org", "192.0.2.7", "::1", not_before=DAY, not_after=DAY)
    found = read_certificate(der_of(leaf))
    assert found is not None
    assert found.names == ("mail.example", "*.example.org", "192.0.2.7", "::1")
    assert found.issuer.startswith("Example Authority")
    assert (found.since, found.until) == (DAY, DAY)


@pytest.mark.parametrize(
    ("days", "most", "expected"),
    [(397, None, [60, 30, 7]), (365, None, [60, 30, 7]), (90, None, [22.5, 7]), (6, None, [1.5]), (397, 29, [29, 7])],
)
def test_people_are_told_of_an_end_in_time_and_not_of_what_a_program_will_renew(
    days: int, most: int | None, expected: list[float]
) -> None:
    certificate = Certificate(names=(), issuer="", since=DAY, until=DAY + dt.timedelta(days=days))
    told = warn_at(certificate, None if most is None else dt.timedelta(days=most))
    assert [(certificate.until - at) / dt.timedelta(days=1) for at in told] == expected


def test_a_certificate_of_an_old_kind_has_its_common_name() -> None:
    found = read_certificate(der_of(AUTHORITY.issue_cert(common_name="old.example")))
    assert found is not None
    assert found.names == ("old.example",)


def test_years_are_of_two_centuries() -> None:
    for year in (1960, 2049, 2060):
        day = dt.datetime(year, 1, 2, tzinfo=dt.UTC)
        found = read_certificate(der_of(AUTHORITY.issue_cert("x", not_before=day, not_after=day)))
        assert found is not None
        assert found.until == day


@pytest.mark.parametrize("content", [b"", b"0", b"\x30\x00", b"\x30\x80", b"\x02\x01\x00", b"\x30\x84\xff\xff\xff\xff"])
def test_what_is_none_is_none(content: bytes) -> None:
    assert read_certificate(content) is None


GOOD = der_of(AUTHORITY.issue_cert("mail.example", "192.0.2.7"))


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=8))
def test_a_certificate_with_other_octets_is_read_or_none(position: int, other: bytes) -> None:
    found = read_certificate(GOOD[:position] + other + GOOD[position + len(other) :])
    assert found is None or all(name.isprintable() for name in (*found.names, found.issuer))
    assert read_certificate(GOOD[:position]) is None


def test_the_first_certificate_of_a_file_counts() -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("relay.office.example")
    chain = b"\n".join([b"a comment", *(one.bytes() for one in leaf.cert_chain_pems), authority.cert_pem.bytes()])
    for content in (chain, leaf.private_key_and_cert_chain_pem.bytes()):
        found = read_pem(content)
        assert found is not None
        assert found.names == ("relay.office.example",)
    for content in (b"", authority.private_key_pem.bytes(), chain.replace(b"M", b"=", 1)[:400]):
        assert read_pem(content) is None


@given(st.binary(max_size=200))
def test_any_file_is_read_without_a_fault(content: bytes) -> None:
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(content) + b"\n-----END CERTIFICATE-----\n"
    assert read_pem(pem) is None
    assert read_pem(content) is None
