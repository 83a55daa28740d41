import datetime as dt
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from relay.certificates import CertificateError
from relay.certificates.authority import (
    _general,
    find_outside,
    fingerprint,
    issue,
    make_authority,
    only_certificate,
)
from relay.rules.certificates import read_pem
from tests.peers.machine import require_program

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
NAMES = ["relay.office.example", "büro.example", "relay", "192.0.2.5", "2001:db8::5"]


@pytest.mark.peer
def test_openssl_finds_a_chain_that_is_good_for_each_name(tmp_path: Path) -> None:
    openssl = require_program("openssl", package="openssl")
    authority = make_authority("Mail relay relay.office.example", NOW, NAMES)
    (tmp_path / "root.pem").write_bytes(only_certificate(authority))
    (tmp_path / "server.pem").write_bytes(issue(authority, NAMES, NOW))
    names = [("-verify_hostname", "relay.office.example"), ("-verify_hostname", "xn--bro-hoa.example")]
    names += [("-verify_hostname", "relay"), ("-verify_ip", "192.0.2.5"), ("-verify_ip", "2001:db8::5")]
    command = [openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "root.pem"]
    for option in names:
        subprocess.run([*command, *option, "server.pem"], cwd=tmp_path, check=True, capture_output=True)
    wrong = [*command, "-verify_hostname", "other.example", "server.pem"]
    assert subprocess.run(wrong, cwd=tmp_path, check=False, capture_output=True).returncode != 0
    (tmp_path / "forged.pem").write_bytes(forge(authority, "other.example"))
    forged = subprocess.run([*command[:2], *command[-2:], "forged.pem"], cwd=tmp_path, check=False, capture_output=True)
    assert b"permitted subtree violation" in forged.stderr
    printed = subprocess.run(
        [openssl, "x509", "-noout", "-fingerprint", "-sha256", "-in", "root.pem"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert printed.stdout.strip().rpartition("=")[2] == fingerprint(only_certificate(authority))


OUTSIDE = [
    "example",
    "bank.example",
    "notrelay.office.example",
    "www.google.com",
    "192.0.2.6",
    "2001:db8::6",
    "8.8.8.8",
]
INSIDE = [
    *NAMES,
    "pop.relay.office.example",
    "nas.lan",
    "PC.Local",
    "fritz.box",
    "10.1.2.3",
    "192.168.178.2",
    "fd00::5",
]


@pytest.fixture(scope="module")
def authority() -> bytes:
    return make_authority("Mail", NOW, NAMES)


def forge(authority: bytes, name: str) -> bytes:
    """Let the authority's key sign for any name, as whoever has taken over the service could."""
    key = load_pem_private_key(authority, None)
    root = x509.load_pem_x509_certificate(authority)
    assert isinstance(key, rsa.RSAPrivateKey)
    own = rsa.generate_private_key(65537, 2048)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "forged")]))
        .issuer_name(root.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=1))
        .not_valid_after(NOW + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([_general(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + certificate.public_bytes(Encoding.PEM) + only_certificate(authority)


def is_taken(root: bytes, server: bytes, name: str, folder: Path) -> bool:
    """Say whether a client that trusts the root takes this server's certificate for a name."""
    pem = folder / "server.pem"
    pem.write_bytes(server)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    trusting = ssl.create_default_context(cadata=root.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ascii_name = name if name.isascii() else "xn--bro-hoa.example"
    client = trusting.wrap_bio(to_client, to_server, server_hostname=ascii_name)
    other = serving.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return client.getpeercert() is not None


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_is_not_the_offices_own_is_refused_here_and_by_who_trusts_the_authority(
    name: str, authority: bytes, tmp_path: Path
) -> None:
    with pytest.raises(CertificateError, match=r"rename this file.*has to import"):
        issue(authority, ["relay.office.example", name], NOW)
    assert find_outside(authority, [*INSIDE, name]) == (name,)
    assert not is_taken(only_certificate(authority), forge(authority, name), name, tmp_path)


@pytest.mark.parametrize("name", INSIDE)
def test_what_is_private_or_was_named_is_taken(name: str, authority: bytes, tmp_path: Path) -> None:
    server = issue(authority, ["relay.office.example", name], NOW)
    assert is_taken(only_certificate(authority), server, name, tmp_path)


def test_an_authority_signs_servers_alone_and_one_without_constraints_signs_on(
    authority: bytes, tmp_path: Path
) -> None:
    root = x509.load_pem_x509_certificate(authority)
    constraints = root.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    usage = root.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [*usage] == [ExtendedKeyUsageOID.SERVER_AUTH]
    key = load_pem_private_key(authority, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    before = (
        x509.CertificateBuilder(root.issuer, root.subject, root.public_key(), root.serial_number)
        .not_valid_before(root.not_valid_before_utc)
        .not_valid_after(root.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    old = authority.partition(b"-----BEGIN CERTIFICATE-----")[0] + before.public_bytes(Encoding.PEM)
    assert find_outside(old, OUTSIDE) == ()
    assert issue(old, OUTSIDE, NOW)
    # The constraints are what keeps others safe: without them the same forgery is taken.
    assert is_taken(only_certificate(old), forge(old, "www.google.com"), "www.google.com", tmp_path)


def test_a_certificate_lasts_as_long_as_clients_take_and_not_longer_than_its_authority(tmp_path: Path) -> None:
    authority = make_authority("Mail", NOW, NAMES)
    pem = tmp_path / "server.pem"
    pem.write_bytes(issue(authority, NAMES, NOW))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pem)
    found = read_pem(only_certificate(pem.read_bytes()))
    assert found is not None
    assert found.names == ("relay.office.example", "xn--bro-hoa.example", "relay", "192.0.2.5", "2001:db8::5")
    assert found.until == NOW + dt.timedelta(days=397)
    late = read_pem(only_certificate(issue(authority, NAMES, NOW + dt.timedelta(days=3590))))
    assert late is not None
    assert late.until == NOW + dt.timedelta(days=3653)
    with pytest.raises(CertificateError, match=r"the authority ends on .*rename this file"):
        issue(authority, NAMES, NOW + dt.timedelta(days=3653))


@pytest.mark.parametrize("name", ["", "ü" * 70, "a..ü"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(CertificateError, match="can't stand in a certificate"):
        issue(make_authority("Mail", NOW, NAMES), [name], NOW)
    with pytest.raises(CertificateError, match="can't stand in a certificate"):
        make_authority("Mail", NOW, [name])


def test_what_is_no_authority_is_refused() -> None:
    one, other = make_authority("Mail", NOW, NAMES), make_authority("Mail", NOW, NAMES)
    key, begin, _ = one.partition(b"-----BEGIN CERTIFICATE-----")
    for content in (b"", b"x", key, key + only_certificate(other)):
        with pytest.raises(CertificateError, match="it holds no key and certificate"):
            issue(content, NAMES, NOW)
    assert begin
    for read in (fingerprint, only_certificate):
        with pytest.raises(CertificateError, match="it holds no certificate"):
            read(b"x")
