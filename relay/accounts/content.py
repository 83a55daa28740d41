"""What is sealed of a login, as JSON: its tokens, and whose they are, so that no other account can be given them."""

import json
from dataclasses import asdict, dataclass, field, fields

from relay.model.errors import CredentialError


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """The tokens of a login."""

    account: str
    binding: str
    """As in `StoredLogin`, where whoever writes to the database could change them."""
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
        return Content(**{one.name: found[one.name] for one in fields(Content)})
    except (ValueError, KeyError, TypeError):
        pass
    raise CredentialError("the login was stored by another release of this program", permanent=True)
