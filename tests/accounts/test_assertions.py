"""Assertions, verified with the key that the provider would have."""

import base64
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from relay.accounts.assertions import client_assertion, service_assertion
from relay.model.errors import CredentialError
from relay.model.oauth import Flow, OAuth, Provider

NOW = 1_780_000_000_000
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def certificate() -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=900))
        .sign(KEY, hashes.SHA256())
    )


def microsoft(folder: Path) -> OAuth:
    (folder / "c.pem").write_bytes(certificate().public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(PEM)
    return OAuth(
        provider=Provider.MICROSOFT, flow=Flow.APP, client_id="the-app", tenant="t",
        certificate=str(folder / "c.pem"), private_key=str(folder / "k.pem"),
    )  # fmt: skip


def google(file: Path) -> OAuth:
    return OAuth(
        provider=Provider.GOOGLE, flow=Flow.APP, client_id="s@p.iam.gserviceaccount.com", user="anna@example.com",
        private_key=str(file),
    )  # fmt: skip


def part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def read(assertion: str, how: padding.AsymmetricPadding) -> tuple[dict[str, Any], dict[str, Any]]:
    """Verify an assertion, and give its header and claims."""
    said, _, signature = assertion.rpartition(".")
    KEY.public_key().verify(part(signature), said.encode(), how, hashes.SHA256())
    header, claims = said.split(".")
    return json.loads(part(header)), json.loads(part(claims))


def test_a_client_proves_itself_by_its_certificate(tmp_path: Path) -> None:
    how = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    oauth = microsoft(tmp_path)
    header, claims = read(client_assertion(oauth, now=NOW), how)
    assert (header["alg"], part(header["x5t#S256"])) == ("PS256", certificate().fingerprint(hashes.SHA256()))
    assert claims["aud"] == "https://login.microsoftonline.com/t/oauth2/v2.0/token"
    assert (claims["iss"], claims["sub"]) == ("the-app", "the-app")
    assert (claims["iat"], claims["exp"]) == (NOW // 1000, NOW // 1000 + 300)
    assert read(client_assertion(oauth, now=NOW), how)[1]["jti"] != claims["jti"]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_service_account_acts_for_a_user(tmp_path: Path, as_json: bool) -> None:
    file = tmp_path / "key"
    file.write_bytes(json.dumps({"private_key": PEM.decode(), "private_key_id": "7"}).encode() if as_json else PEM)
    header, claims = read(service_assertion(google(file), now=NOW), padding.PKCS1v15())
    assert header == {"alg": "RS256", "typ": "JWT"} | ({"kid": "7"} if as_json else {})
    assert claims == {
        "iss": "s@p.iam.gserviceaccount.com",
        "sub": "anna@example.com",
        "scope": "https://mail.google.com/",
        "aud": "https://oauth2.googleapis.com/token",
        "iat": NOW // 1000,
        "nbf": NOW // 1000,
        "exp": NOW // 1000 + 300,
    }


LOCKED = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"sesame")
)
CURVE = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no private key"),
        (b"{", "holds no private key"),
        (b'{"private_key": 1}', "holds no private key"),
        (b"[1]", "holds no private key"),
        (CURVE, "must be an RSA key"),
        (LOCKED, "passphrase"),
    ],
)
def test_a_key_of_no_use_is_named_with_its_file_and_nothing_of_it(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "the-key"
    file.write_bytes(content)
    with pytest.raises(CredentialError, match=f"private_key .*the-key: .*{reason}") as caught:
        service_assertion(google(file), now=NOW)
    assert caught.value.permanent
    assert caught.value.__context__ is None or not content or content.decode() not in repr(caught.value.__context__)


def test_a_file_that_is_missing_or_no_certificate(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="can't be read: No such file"):
        service_assertion(google(tmp_path / "none"), now=NOW)
    oauth = microsoft(tmp_path)
    (tmp_path / "c.pem").write_bytes(b"x")
    with pytest.raises(CredentialError, match="holds no certificate"):
        client_assertion(oauth, now=NOW)
