"""When a certificate runs out: real ones of trustme, and bytes of all kinds."""

import base64
from datetime import UTC, datetime

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.certificate import expiry_of


@pytest.mark.parametrize("year", [1999, 2031, 2049, 2050, 2099])
def test_the_first_certificate_of_a_file_counts(year: int) -> None:
    end = datetime(year, 3, 4, 5, 6, 7, tzinfo=UTC)
    authority = trustme.CA()
    issued = authority.issue_cert("relay.office.example", not_before=datetime(1998, 1, 1, tzinfo=UTC), not_after=end)
    chain = b"\n".join([b"a comment", *(one.bytes() for one in issued.cert_chain_pems), authority.cert_pem.bytes()])
    assert expiry_of(chain) == round(end.timestamp() * 1000)
    assert expiry_of(issued.private_key_and_cert_chain_pem.bytes()) == round(end.timestamp() * 1000)


def test_what_is_no_certificate_has_no_end() -> None:
    authority = trustme.CA()
    assert expiry_of(b"") is None
    assert expiry_of(authority.private_key_pem.bytes()) is None
    whole = authority.cert_pem.bytes()
    assert expiry_of(whole) is not None
    lines = whole.split(b"\n")
    assert expiry_of(b"\n".join([lines[0], lines[1][:40], *lines[-2:]])) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_a_fault(content: bytes) -> None:

    for body in (content, b"\x30\x81" + content, b"\x30\x82\xff\xff" + content):
        pem = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(body) + b"\n-----END CERTIFICATE-----\n"
        assert expiry_of(pem) is None
        assert expiry_of(content + pem[:-9]) is None
