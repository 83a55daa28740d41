"""An e-mail address as a value."""

import functools
import re
import unicodedata
from dataclasses import dataclass

import idna

_LONGEST_LOCAL = 256
_LONGEST_DOMAIN = 1_000
"""Characters; no mailbox that can be sent to has more than 64 and 255 octets."""
_LONGEST_CACHED = 64
"""Characters of a domain whose A-labels are remembered. Longer ones are rare, and no field has many of them."""
_DOT_ATOM = re.compile(r"[^\x00-\x20\x7f()<>\[\]:;@\\,\".]+(?:\.[^\x00-\x20\x7f()<>\[\]:;@\\,\".]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """One addr-spec (RFC 5322 section 3.4.1), already parsed.

    Two addresses are the same mailbox to us when their `key` is equal; `==` compares the spelling.
    """

    local: str
    """The local part, without quotes or backslashes (`john doe` for `"john doe"@example.com`)."""
    domain: str
    """The domain as it was written, or an address literal in brackets. Never empty."""

    @property
    def key(self) -> str:
        """What addresses are compared by: lower case in NFC, the domain in IDNA A-label form."""
        return _key(self.local, self.domain)

    @property
    def wire(self) -> str:
        """The addr-spec for an SMTP command: the domain as A-labels, so that only a local part can need SMTPUTF8."""
        return _wire(self.local, self.domain)

    def __str__(self) -> str:
        return _spelled(self.local, self.domain)


def quote_local(local: str) -> str:
    """Return a local part by RFC 5321 section 4.1.2: a dot-string if possible, else a quoted string."""
    if _DOT_ATOM.fullmatch(local):
        return local
    return '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'


def ascii_domain(domain: str) -> str:
    """Return a domain in lower-case A-label form (RFC 5891); one that IDNA refuses is only lower-cased.

    One that is too long is returned unchanged: normalising takes time by the square of a run of combining marks.
    """
    if len(domain) > _LONGEST_DOMAIN:
        return domain
    lowered = unicodedata.normalize("NFC", domain).lower().rstrip(".")
    if lowered.isascii() or len(lowered) > _LONGEST_DOMAIN:  # either may have made it longer
        return lowered
    return _a_labels(lowered) if len(lowered) <= _LONGEST_CACHED else _encode(lowered)


def _encode(lowered: str) -> str:
    try:
        return idna.encode(lowered, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        return lowered


# A list of addresses is parsed, and then compared: without this, a long one of domains that are not ASCII takes long.
_a_labels = functools.lru_cache(maxsize=8192)(_encode)


@functools.lru_cache(maxsize=4096)
def _key(local: str, domain: str) -> str:
    # No case folding: it would make one of "weiß" and "weiss", who are two.
    short = unicodedata.normalize("NFC", local).lower() if len(local) <= _LONGEST_LOCAL else local
    return f"{short}@{ascii_domain(domain)}"


@functools.lru_cache(maxsize=4096)
def _spelled(local: str, domain: str) -> str:
    return f"{quote_local(local)}@{domain}"


@functools.lru_cache(maxsize=4096)
def _wire(local: str, domain: str) -> str:
    if domain.isascii() or not local.isascii():
        return _spelled(local, domain)
    return f"{quote_local(local)}@{ascii_domain(domain)}"
