"""TLS towards providers: contexts, which verify by default and are cached, and texts for errors."""

import functools
import os
import ssl
from pathlib import Path


class AuthoritiesError(OSError):
    """`ca_file`, the file of the trusted authorities, can't be used."""


def tls_context(ca_file: str | None, *, verify: bool) -> ssl.SSLContext:
    """Return an account's context. Call it in a thread: reading the authorities takes long. Cached by file and change.

    Raises AuthoritiesError.
    """
    if ca_file is None:
        return _make_context(None, verify, 0)
    try:
        return _make_context(ca_file, verify, Path(ca_file).stat().st_mtime_ns)
    except ssl.SSLError:
        raise AuthoritiesError(f"ca_file {ca_file} holds no certificate") from None
    except OSError as error:
        raise AuthoritiesError(f"ca_file {ca_file} can't be read: {error.strerror or error}") from None


@functools.lru_cache(maxsize=64)
def _make_context(ca_file: str | None, verify: bool, _changed: int) -> ssl.SSLContext:  # noqa: FBT001 - a cache's key
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def describe_fault(error: BaseException | None, host: str) -> tuple[str, str]:
    """Return an enhanced status code (RFC 3463) and a text for an error of a connection."""
    cause = error
    while cause is not None:
        if isinstance(cause, AuthoritiesError):
            return "4.7.5", str(cause)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "4.7.5", f"the certificate of {host}: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "4.7.5", f"TLS with {host}: {getattr(cause, 'reason', None) or 'failed'}"
        if isinstance(cause, OSError) and not isinstance(cause, TimeoutError) and cause.strerror:
            # asyncio puts the address in place of the reason; errors of name resolution have negative numbers.
            number = cause.errno or 0
            return "4.4.1", f"{host}: {os.strerror(number) if number > 0 else cause.strerror}"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError):
        return "4.4.1", f"{host} did not answer in time"
    return "4.4.1", f"{host}: {str(error) or type(error).__name__}"
