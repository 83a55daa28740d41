"""Makes an authority and certificates that it signs (RFC 5280), as PEM. The clock is an argument.

RSA with 2,048 bits: scanners of ten years ago know no elliptic curves.
"""

import datetime as dt
import ipaddress
from collections.abc import Iterable, Sequence
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
_PRIVATE_DOMAINS: Final = (
    *("localhost", "local", "lan", "home.arpa", "internal", "intranet", "private", "corp", "home", "localdomain"),
    "fritz.box",
)
"""Names within an office, which are nobody's on the internet (RFC 6761, RFC 6762, RFC 8375, and what routers use)."""
_PRIVATE_NETWORKS: Final = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"),
    *("fc00::/7", "fe80::/10", "::1/128"),
)
"""Addresses within an office (RFC 1918, RFC 4193), of a link and of the machine itself."""


def make_authority(name: str, now: dt.datetime, names: Sequence[str]) -> bytes:
    """Return the key and the certificate of a new authority, which may sign servers of an office and nothing else.

    Whoever gets hold of its key can pose as what is private, or has one of `names`, and as no other site: each client
    refuses what lies outside of its name constraints (RFC 5280 section 4.2.1.10). Raises CertificateError.
    """
    from cryptography import x509  # noqa: PLC0415 - takes 40 ms, and few need it
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see above
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415 - see above

    key = _make_key()
    subject = _name(name)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(subject, key, now, AUTHORITY_LASTS)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.NameConstraints(_permit(names), None), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return _write(key, certificate)


def issue(authority: bytes, names: Sequence[str], now: dt.datetime) -> bytes:
    """Return a new key and a certificate for these host names and addresses, with the authority's behind it.

    Raises CertificateError where the authority is none or nearly over, may not sign for one of the names, or one can't
    stand in a certificate.
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
    if not_permitted := _find_outside(root, names):
        raise CertificateError(
            f"this authority was made for other names, and programs would refuse a certificate by it for"
            f" {', '.join(not_permitted)}. Leave them out; or rename this file, then `relay certificate make` with a"
            " --name for each of them makes another authority: whoever imported this one has to import that one"
            " (`relay certificate show`), and remove this one"
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


def find_outside(authority: bytes, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names for which an authority may not sign. Raises CertificateError."""
    return _find_outside(_read(authority)[1], names)


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


def _permit(names: Sequence[str]) -> "list[x509.GeneralName]":
    """Return what is private, and what of the names is not; a name stands for all below it, too."""
    from cryptography import x509  # noqa: PLC0415 - see above

    permitted: list[x509.GeneralName] = [x509.DNSName(domain) for domain in _PRIVATE_DOMAINS]
    permitted += [x509.IPAddress(ipaddress.ip_network(network)) for network in _PRIVATE_NETWORKS]
    for one in map(_general, names):
        if not _is_within(one, permitted):
            permitted.append(x509.IPAddress(ipaddress.ip_network(one.value)) if _is_address(one) else one)
    return permitted


def _find_outside(root: "x509.Certificate", names: Sequence[str]) -> tuple[str, ...]:
    from cryptography import x509  # noqa: PLC0415 - see above

    try:
        permitted = root.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    except (x509.ExtensionNotFound, ValueError):
        permitted = None
    return () if permitted is None else tuple(name for name in names if not _is_within(_general(name), permitted))


def _is_within(name: "x509.GeneralName", permitted: "Iterable[x509.GeneralName]") -> bool:
    """Return whether a name lies in one of the subtrees."""
    subtrees = [one.value for one in permitted if type(one) is type(name)]
    if _is_address(name):
        return any(name.value in network for network in subtrees)
    return any(f".{name.value}".lower().endswith(f".{domain}".lower()) for domain in subtrees)


def _is_address(name: "x509.GeneralName") -> bool:
    from cryptography import x509  # noqa: PLC0415 - see above

    return isinstance(name, x509.IPAddress)


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
