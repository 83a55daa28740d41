"""A login over POP3: by a token or a password in SASL (RFC 5034), always in two steps, else by USER and PASS."""

import base64
from collections.abc import Sequence

from relay.model.account import MailboxServer
from relay.rules.sasl import BY_TOKEN, ENDS_ERROR, token_response
from relay.upstream.pop3_stream import Pop3Stream


async def log_in(
    stream: Pop3Stream, server: MailboxServer, mechanisms: Sequence[str], secret: str, capabilities: frozenset[str]
) -> tuple[bool, str]:
    """Log in by the best mechanism that the server offers, once: each more is another failed login.

    Returns whether it is logged in, and what the server says, or we do where nothing was tried. Raises StreamLost.
    """
    offered = [name for name in mechanisms if name in BY_TOKEN and f"SASL {name.upper()}" in capabilities]
    if "plain" not in mechanisms and not offered:
        return False, "the server offers no login that we know"
    if any(ord(char) < 32 or ord(char) == 127 for char in server.username + secret):
        return False, "login or password has a control character"
    if offered:
        return await _give_token(stream, offered[0], secret, server)
    if "SASL PLAIN" in capabilities:
        answer = base64.b64encode(f"\0{server.username}\0{secret}".encode())
        return await _authenticate(stream, "PLAIN", answer)
    stream.write(f"USER {server.username}\r\n".encode())
    good, text = await stream.read_status()
    if not good:
        return good, text
    stream.write(f"PASS {secret}\r\n".encode())
    return await stream.read_status()


async def _give_token(stream: Pop3Stream, name: str, token: str, server: MailboxServer) -> tuple[bool, str]:
    """Log in by a token, in two steps (Microsoft's server closes the connection after one that holds both)."""
    answer = token_response(name, token, username=server.username, host=server.host, port=server.port)
    return await _authenticate(stream, name.upper(), answer, ends_error=ENDS_ERROR[name])


async def _authenticate(
    stream: Pop3Stream, name: str, answer: bytes, *, ends_error: bytes | None = None
) -> tuple[bool, str]:
    """Run AUTH in two steps (RFC 5034); a second challenge is an error, which `ends_error` answers, if given."""
    stream.write(f"AUTH {name}\r\n".encode())
    line = await stream.read_line()
    for said in (answer, ends_error):
        if said is None or not _is_challenge(line):
            break
        stream.write(said + b"\r\n")
        line = await stream.read_line()
    return stream.status_of(line)


def _is_challenge(line: bytes) -> bool:
    return line.startswith(b"+ ") or line == b"+"
