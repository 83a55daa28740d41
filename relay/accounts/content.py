"""What is sealed of a login: its tokens, as JSON."""

import json
from dataclasses import asdict, dataclass, field

from relay.model.errors import CredentialError


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """The tokens of a login."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    """None: the program gets its tokens by itself."""


def pack(content: Content) -> bytes:
    """Return what is sealed."""
    return json.dumps(asdict(content)).encode()


def unpack(content: bytes) -> Content:
    """Read what was sealed. Raises CredentialError where a later release has written it in another way."""
    try:
        found = json.loads(content)
        return Content(access=found["access"], refresh=found["refresh"])
    except (ValueError, KeyError, TypeError):
        pass
    raise CredentialError("the login was stored by another release of this program", permanent=True)
