"""Makes an authority and certificates that it signs (RFC 5280), as PEM. The clock is an argument.

RSA with 2,048 bits: scanners of ten years ago know no elliptic curves.
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from relay.certificates import CertificateError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

AUTHORITY_LASTS: Final = dt.timedelta(days=3653)
LASTS: Final = dt.timedelta(days=397)
"""A server's certificate: browsers take none that lasts longer."""
_LEAST: Final = dt.timedelta(days=60)
"""Of an authority that is still to sign: what it signs lasts no longer than itself, and would be due at once."""
_BEFORE: Final = dt.timedelta(days=1)
"""So much earlier it begins: the clocks of devices are not always right."""
_BITS: Final = 2048
_LONGEST_COMMON_NAME: Final = 64


def make_authority(name: str, now: dt.datetime) -> bytes:
    """Return the key and the certificate of a new authority, which may sign servers and nothing else."""
    from cryptography import x509  # noqa: PLC0415 - takes 40 ms, and few need it
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see above

    key = _make_key()
    subject = _name(name)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(subject, key, now, AUTHORITY_LASTS)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return _write(key, certificate)


def issue(authority: bytes, names: Sequence[str], now: dt.datetime) -> bytes:
    """Return a new key and a certificate for these host names and addresses, with the authority's behind it.

    Raises CertificateError where the authority is none or nearly over, or a name can't stand in a certificate.
    """
    from cryptography import x509  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see above
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415 - see above

    signer, root = _read(authority)
    left = root.not_valid_after_utc - now
    if left <= _LEAST:
        raise CertificateError(
            f"the authority ends on {root.not_valid_after_utc:%Y-%m-%d}, and signs nothing any more: rename this file,"
            " then `relay certificate make` makes another authority, which everybody has to import"
        )
    key = _make_key()
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    certificate = (
        _builder(_name(names[0]), key, now, min(LASTS, left))
        .issuer_name(root.subject)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(by, critical=False)
        .sign(signer, hashes.SHA256())
    )
    return _write(key, certificate, root)


def only_certificate(pem: bytes) -> bytes:
    """Return the first certificate of a file, and nothing else of it. Raises CertificateError where there is none."""
    from cryptography import x509  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - see above

    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.PEM)
    except ValueError:
        raise CertificateError("it holds no certificate") from None


def fingerprint(pem: bytes) -> str:
    """Return the SHA-256 of the first certificate, as programs show it. Raises CertificateError."""
    from cryptography import x509  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see above

    try:
        return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex(":").upper()
    except ValueError:
        raise CertificateError("it holds no certificate") from None


def _make_key() -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - see above

    return rsa.generate_private_key(public_exponent=65_537, key_size=_BITS)


def _name(text: str) -> "x509.Name":
    from cryptography import x509  # noqa: PLC0415 - see above
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - see above

    return x509.Name(
        [
            x509.NameAttribute(
                NameOID.COMMON_NAME, text.encode()[:_LONGEST_COMMON_NAME].decode(errors="ignore") or "mail"
            )
        ]
    )


def _builder(
    subject: "x509.Name", key: "RSAPrivateKey", now: dt.datetime, lasts: dt.timedelta
) -> "x509.CertificateBuilder":
    from cryptography import x509  # noqa: PLC0415 - see above

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + lasts)
    )


def _usage(*, signs: bool) -> "x509.KeyUsage":
    from cryptography import x509  # noqa: PLC0415 - see above

    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=not signs,  # old clients encrypt the session's key with it
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> "x509.GeneralName":
    import idna  # noqa: PLC0415 - see above
    from cryptography import x509  # noqa: PLC0415 - see above

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        # A name of one label, or with an underscore, is none of the DNS, but one by which people call a machine.
        if not name:
            raise ValueError  # noqa: TRY301 - as with all that is no name
        return x509.DNSName(name if name.isascii() else idna.encode(name, uts46=True).decode())
    except (ValueError, UnicodeError):  # IDNAError is one
        pass
    raise CertificateError(f"{name!r} can't stand in a certificate: name a host or an address")


def _write(key: "RSAPrivateKey", *certificates: "x509.Certificate") -> bytes:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see above
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return b"".join([secret, *(one.public_bytes(Encoding.PEM) for one in certificates)])


def _read(pem: bytes) -> "tuple[RSAPrivateKey, x509.Certificate]":
    from cryptography import x509  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - see above

    try:
        key, certificate = load_pem_private_key(pem, None), x509.load_pem_x509_certificate(pem)
    except (ValueError, TypeError):
        raise CertificateError("it holds no key and certificate of an authority") from None
    if not isinstance(key, RSAPrivateKey) or key.public_key() != certificate.public_key():
        raise CertificateError("it holds no key and certificate that belong together")
    return key, certificate
