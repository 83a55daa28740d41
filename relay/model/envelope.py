"""Who hands a mail in, and the envelope that it comes in."""

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from relay.model.address import Address


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """The SMTP client of one session, as far as it is known when the mail comes."""

    ip: IPv4Address | IPv6Address
    """IPv4-mapped IPv6 addresses are already unmapped."""
    helo: str = ""
    """What it called itself."""
    esmtp: bool = True
    tls: bool = False
    login: str | None = None
    """The user's name, where AUTH succeeded."""
    default_user: str | None = None
    """The listener's `default_user`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DsnOptions:
    """What RCPT asked for one recipient (RFC 3461 sections 4.1 and 4.2), in the form in which it is passed on."""

    notify: str = ""
    """`NEVER`, or some of `SUCCESS,FAILURE,DELAY`; empty: nothing was asked."""
    orcpt: str = ""
    """`type;xtext`; empty: nothing was said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """The SMTP envelope (RFC 5321 section 2.3.1)."""

    reverse_path: Address | None
    """None is the null reverse-path `<>`."""
    recipients: tuple[Address, ...]
    smtputf8: bool = False
    """Whether MAIL carried SMTPUTF8 (RFC 6531)."""
    ret: str = ""
    """RET of MAIL (RFC 3461 section 4.3): `FULL` or `HDRS`; empty: nothing was asked."""
    envelope_id: str = ""
    """ENVID of MAIL (RFC 3461 section 4.4), as xtext."""
    dsn_options: tuple[DsnOptions, ...] = ()
    """For each recipient; empty: nobody asked for anything."""

    def distinct(self) -> "Envelope":
        """Name each recipient once: of equal addresses the first counts, with what was asked for it."""
        first: dict[str, int] = {}
        for n, address in enumerate(self.recipients):
            first.setdefault(address.key, n)
        if len(first) == len(self.recipients):
            return self
        return replace(
            self,
            recipients=tuple(self.recipients[n] for n in first.values()),
            dsn_options=tuple(self.dsn_options[n] for n in first.values()) if self.dsn_options else (),
        )
