"""What a server's certificate says of itself (RFC 5280 section 4.1), read from its DER form.

Only for words to people: nothing is verified here, and whatever can't be read is as if it were not there. Not by
cryptography: `relay status` and the running service look at certificates all the time, and its x509 costs them 100 ms
at each start and 16 MB; it also refuses some of the faulty ones that people are to be told of.
"""

import binascii
import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from relay.escaping import printable

_SEQUENCE, _OID, _OCTETS, _VERSION, _EXTENSIONS = 0x30, 0x06, 0x04, 0xA0, 0xA3
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_COMMON_NAME, _ORGANIZATION, _ALTERNATIVE_NAMES = b"\x55\x04\x03", b"\x55\x04\x0a", b"\x55\x1d\x11"
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_UTF16_STRING = 0x1E
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]{1,100000}?)-----END CERTIFICATE-----")
_MOST = 1000
"""Parts of one value that are looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """What people want to know of a certificate."""

    names: tuple[str, ...]
    """The hosts that it is for."""
    issuer: str
    """Who has made it."""
    since: dt.datetime
    until: dt.datetime


_TOLD = tuple(dt.timedelta(days=days) for days in (60, 30, 7))


def warn_at(certificate: Certificate, most: dt.timedelta | None = None) -> tuple[dt.datetime, ...]:
    """Return the moments at which people are told that a certificate ends: 60, 30 and 7 days before, in their order.

    None of them is earlier than `most` before its end; where nothing else is said, in the last quarter of its time: one
    of three months is renewed by a program a month before, and it says something only where that has failed.
    """
    longest = (certificate.until - certificate.since) / 4 if most is None else most
    return tuple(dict.fromkeys(certificate.until - min(before, longest) for before in _TOLD))


def read_certificate(der: bytes) -> Certificate | None:
    """Read a certificate; None where it is none."""
    try:
        return _read(der)
    except (ValueError, IndexError, OverflowError):
        return None


def read_pem(content: bytes) -> Certificate | None:
    """Read the first certificate of a PEM file, which is the one that a server shows as its own; None without one."""
    found = _PEM.search(content)
    try:
        return None if found is None else read_certificate(binascii.a2b_base64(found[1]))
    except ValueError:
        return None


def _read(der: bytes) -> Certificate:
    certificate = _one(der, _SEQUENCE)
    parts = list(_parts(_one(certificate, _SEQUENCE)))
    if parts and parts[0][0] == _VERSION:
        del parts[0]
    _serial, _algorithm, (_, issuer), (_, validity), (_, subject), *rest = parts
    since, until = (_time(tag, value) for tag, value in _parts(validity))
    names = tuple(name for tag, value in rest if tag == _EXTENSIONS for name in _alternative_names(value))
    common, _ = _name(subject)
    return Certificate(
        names=names or ((common,) if common else ()),
        issuer=" ".join(dict.fromkeys(filter(None, reversed(_name(issuer))))) or "an unnamed authority",
        since=since,
        until=until,
    )


def _parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the tags and contents of what stands one behind the other (X.690 section 8.1)."""
    position = count = 0
    while position < len(content):
        tag, length = content[position], content[position + 1]
        position += 2
        if length & 0x80:
            octets = length & 0x7F
            if not 0 < octets <= 4:
                raise ValueError("a length of no certificate")
            length = int.from_bytes(content[position : position + octets], "big")
            position += octets
        count += 1
        if position + length > len(content) or count > _MOST:
            raise ValueError("longer than what it stands in")
        yield tag, content[position : position + length]
        position += length


def _one(content: bytes, tag: int) -> bytes:
    found, value = next(_parts(content), (0, b""))
    if found != tag:
        raise ValueError("another type")
    return value


def _name(content: bytes) -> tuple[str, str]:
    """Give the common name and the organization of a distinguished name; empty where there is none."""
    found = {_COMMON_NAME: "", _ORGANIZATION: ""}
    for _, attributes in _parts(content):
        for _, attribute in _parts(attributes):
            (_, kind), (tag, value) = list(_parts(attribute))[:2]
            if kind in found:
                text = value.decode("utf-16-be" if tag == _UTF16_STRING else "utf-8", "replace")
                found[kind] = printable(text)[:100]
    return found[_COMMON_NAME], found[_ORGANIZATION]


def _alternative_names(extensions: bytes) -> Iterator[str]:
    for _, extension in _parts(_one(extensions, _SEQUENCE)):
        fields = list(_parts(extension))
        if fields[0] != (_OID, _ALTERNATIVE_NAMES) or fields[-1][0] != _OCTETS:
            continue
        for tag, value in _parts(_one(fields[-1][1], _SEQUENCE)):
            if tag == _DNS_NAME:
                yield printable(value.decode("ascii", "replace"))[:255]
            elif tag == _IP_ADDRESS and len(value) in (4, 16):
                yield str(ip_address(value))


def _time(tag: int, value: bytes) -> dt.datetime:
    """Read a time (RFC 5280 section 4.1.2.5); the two digits of a year mean 1950 to 2049."""
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return dt.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=dt.UTC)
