"""What is said in a login by a token: XOAUTH2 (Google, Microsoft) and OAUTHBEARER (RFC 7628), in base64.

Both are said in two steps, the mechanism and then this: a token does not fit into a line of a command, and Microsoft's
POP3 closes the connection where it comes with the first line.
"""

import base64
from typing import Final

BY_TOKEN: Final = ("xoauth2", "oauthbearer")
"""The mechanisms that carry a token."""
ENDS_ERROR: Final = {"xoauth2": b"", "oauthbearer": base64.b64encode(b"\x01")}
"""The answer to a challenge that holds an error, so that the server's refusal comes (RFC 7628 section 3.2.3)."""


def token_response(mechanism: str, token: str, *, username: str, host: str, port: int) -> bytes:
    """Return what follows the name of the mechanism, in base64, without a line end.

    Raises ValueError where user name or token has a control character: it would begin another field.
    """
    if any(char < " " or char == "\x7f" for char in username + token):
        raise ValueError("login or token has a control character")
    if mechanism == "xoauth2":
        said = f"user={username}\x01auth=Bearer {token}\x01\x01"
    else:
        # An "=" or "," of the user name would end it (RFC 5801 section 4).
        name = username.replace("=", "=3D").replace(",", "=2C")
        said = f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01"
    return base64.b64encode(said.encode())
