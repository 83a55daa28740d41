"""Signed statements by which a program proves itself without a secret that is sent: JWT (RFC 7519) of RFC 7523.

Microsoft: "Microsoft identity platform application authentication certificate credentials". Google: "Using OAuth 2.0
for server to server applications". Both block: call them in a thread.
"""

import base64
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from relay.model.errors import CredentialError
from relay.model.oauth import OAuth
from relay.rules.oauth_provider import endpoints_of, scopes_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_LIFE: Final = 300
"""Seconds; Microsoft and Google allow some more."""
_LARGEST: Final = 64 * 1024
"""Octets of a file of a key or certificate."""


def client_assertion(oauth: OAuth, *, now: int) -> str:
    """Prove the client by its certificate (RFC 7523 section 2.2), signed by PS256. `now`: milliseconds.

    Raises CredentialError, which names the file and holds nothing of it.
    """
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - 10 MB, and few accounts need it
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - see above

    content = read_key_file(oauth.certificate, "certificate")
    try:
        thumbprint = load_pem_x509_certificate(content).fingerprint(hashes.SHA256())
    except ValueError:
        reason = f"certificate {oauth.certificate}: holds no certificate in PEM (-----BEGIN CERTIFICATE-----)"
    else:
        header = {"alg": "PS256", "typ": "JWT", "x5t#S256": _encode(thumbprint)}
        claims = {
            "iss": oauth.client_id,
            "sub": oauth.client_id,
            "aud": endpoints_of(oauth).token,
            "jti": secrets.token_urlsafe(16),
        }
        return _sign(_load_key(read_key_file(oauth.private_key, "private_key"), oauth), header, claims, now=now)
    raise CredentialError(reason, permanent=True)


def service_assertion(oauth: OAuth, *, now: int) -> str:
    """Ask for a token as a service account of Google that acts for a user (RFC 7523 section 2.1), by RS256.

    `private_key` is a PEM file, or the JSON file that Google gives. Raises CredentialError.
    """
    content, header = read_key_file(oauth.private_key, "private_key"), {"alg": "RS256", "typ": "JWT"}
    if content.lstrip().startswith(b"{"):
        try:
            given = json.loads(content)
            content = given["private_key"].encode()
            if isinstance(given.get("private_key_id"), str):
                header["kid"] = given["private_key_id"]
        except (ValueError, KeyError, AttributeError, RecursionError):
            content = b""
    claims = {
        "iss": oauth.client_id,
        "sub": oauth.user,
        "scope": " ".join(scopes_of(oauth)),
        "aud": endpoints_of(oauth).token,
    }
    return _sign(_load_key(content, oauth), header, claims, now=now)


def _sign(key: "RSAPrivateKey", header: dict[str, str], claims: dict[str, Any], *, now: int) -> str:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415 - see above

    seconds = now // 1000
    claims = {**claims, "iat": seconds, "nbf": seconds, "exp": seconds + _LIFE}
    said = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
    sha = hashes.SHA256()
    how = padding.PSS(padding.MGF1(sha), sha.digest_size) if header["alg"] == "PS256" else padding.PKCS1v15()
    return f"{said}.{_encode(key.sign(said.encode(), how, sha))}"


def _load_key(content: bytes, oauth: OAuth) -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - see above

    what = f"private_key {oauth.private_key}"
    try:
        key = load_pem_private_key(content, password=None)
        if isinstance(key, RSAPrivateKey):
            return key
        reason = f"{what}: must be an RSA key"
    except TypeError:
        reason = f"{what}: is protected by a passphrase, which nobody could type: give the key without one"
    except ValueError:
        reason = f"{what}: holds no private key in PEM (-----BEGIN PRIVATE KEY-----)"
    raise CredentialError(reason, permanent=True)


def read_key_file(name: str | None, key: str) -> bytes:
    """Read a file that a key of `[account.oauth]` names, 64 KiB at most.

    Raises CredentialError; where the file is gone, only a person can help.
    """
    try:
        with Path(name or "").open("rb") as stream:
            return stream.read(_LARGEST)
    except OSError as error:
        reason = f"{key} {name}: can't be read: {error.strerror}"
        permanent = isinstance(error, FileNotFoundError)
    raise CredentialError(reason, permanent=permanent)


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
