"""When a certificate runs out: the one field of X.509 that people forget (RFC 5280 section 4.1.2.5).

Nothing else is read and nothing is verified: whoever connects does that.
"""

import binascii
import re
from datetime import UTC, datetime
from typing import Final

_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]{1,100000}?)-----END CERTIFICATE-----")
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_FIELDS_BEFORE: Final = 3
"""Of the part that is signed, behind its version: serial number, algorithm, issuer; then comes the validity."""


def expiry_of(pem: bytes) -> int | None:
    """Give when the first certificate of a PEM file runs out, in milliseconds since 1970; None where none can be read.

    A server shows the first one as its own; those behind it are the chain.
    """
    found = _PEM.search(pem)
    if found is None:
        return None
    try:
        return _not_after(binascii.a2b_base64(found[1]))
    except (ValueError, IndexError, OverflowError):
        return None


def _not_after(der: bytes) -> int:
    _, certificate, _ = _read(der)
    _, signed, _ = _read(certificate)
    tag, _, rest = _read(signed)
    if tag == _VERSION:
        signed = rest
    for _ in range(_FIELDS_BEFORE):
        _, _, signed = _read(signed)
    tag, validity, _ = _read(signed)
    if tag != _SEQUENCE:
        raise ValueError("no validity")
    _, _, validity = _read(validity)
    tag, value, _ = _read(validity)
    return _time(tag, value.decode("ascii"))


def _read(der: bytes) -> tuple[int, bytes, bytes]:
    """Read one value of DER: its tag, its content, and what stands behind it."""
    tag, length, begin = der[0], der[1], 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(der[2:begin], "big")
    if begin + length > len(der):
        raise ValueError("it is cut off")
    return tag, der[begin : begin + length], der[begin + length :]


def _time(tag: int, text: str) -> int:
    if tag == _UTC_TIME:  # years of two digits: 50 to 99 are of the last century
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    moment = datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
