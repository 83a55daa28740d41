import datetime as dt
import ssl
import subprocess
from pathlib import Path

import pytest

from relay.certificates import CertificateError
from relay.certificates.authority import fingerprint, issue, make_authority, only_certificate
from relay.rules.certificates import read_pem
from tests.peers.machine import require_program

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
NAMES = ["relay.office.example", "büro.example", "relay", "192.0.2.5", "2001:db8::5"]


@pytest.mark.peer
def test_openssl_finds_a_chain_that_is_good_for_each_name(tmp_path: Path) -> None:
    openssl = require_program("openssl", package="openssl")
    authority = make_authority("Mail relay relay.office.example", NOW)
    (tmp_path / "root.pem").write_bytes(only_certificate(authority))
    (tmp_path / "server.pem").write_bytes(issue(authority, NAMES, NOW))
    names = [("-verify_hostname", "relay.office.example"), ("-verify_hostname", "xn--bro-hoa.example")]
    names += [("-verify_hostname", "relay"), ("-verify_ip", "192.0.2.5"), ("-verify_ip", "2001:db8::5")]
    command = [openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "root.pem"]
    for option in names:
        subprocess.run([*command, *option, "server.pem"], cwd=tmp_path, check=True, capture_output=True)
    wrong = [*command, "-verify_hostname", "other.example", "server.pem"]
    assert subprocess.run(wrong, cwd=tmp_path, check=False, capture_output=True).returncode != 0
    printed = subprocess.run(
        [openssl, "x509", "-noout", "-fingerprint", "-sha256", "-in", "root.pem"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert printed.stdout.strip().rpartition("=")[2] == fingerprint(only_certificate(authority))


def test_a_certificate_lasts_as_long_as_clients_take_and_not_longer_than_its_authority(tmp_path: Path) -> None:
    authority = make_authority("Mail", NOW)
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
        issue(make_authority("Mail", NOW), [name], NOW)


def test_what_is_no_authority_is_refused() -> None:
    one, other = make_authority("Mail", NOW), make_authority("Mail", NOW)
    key, begin, _ = one.partition(b"-----BEGIN CERTIFICATE-----")
    for content in (b"", b"x", key, key + only_certificate(other)):
        with pytest.raises(CertificateError, match="it holds no key and certificate"):
            issue(content, NAMES, NOW)
    assert begin
    for read in (fingerprint, only_certificate):
        with pytest.raises(CertificateError, match="it holds no certificate"):
            read(b"x")
