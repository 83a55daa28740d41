"""The client that submits a mail, and the mail's envelope."""

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from relay.model.address import Address


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """The SMTP client of one session, as it is known when the mail comes in."""

    ip: IPv4Address | IPv6Address
    """IPv4-mapped IPv6 addresses are already unmapped."""
    helo: str = ""
    esmtp: bool = True
    tls: bool = False
    login: str | None = None
    """The user's name if AUTH succeeded."""
    default_user: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DsnOptions:
    """The DSN parameters of one RCPT (RFC 3461 sections 4.1 and 4.2), as they are passed on."""

    notify: str = ""
    """`NEVER`, or some of `SUCCESS,FAILURE,DELAY`; empty if not given."""
    orcpt: str = ""
    """`type;xtext`; empty if not given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """The SMTP envelope (RFC 5321 section 2.3.1)."""

    reverse_path: Address | None
    """None is the null reverse-path `<>`."""
    recipients: tuple[Address, ...]
    smtputf8: bool = False
    """Whether MAIL carried SMTPUTF8 (RFC 6531)."""
    ret: str = ""
    """RET of MAIL (RFC 3461 section 4.3): `FULL` or `HDRS`; empty if not given."""
    envelope_id: str = ""
    """ENVID of MAIL (RFC 3461 section 4.4), as xtext."""
    dsn_options: tuple[DsnOptions, ...] = ()
    """One for each recipient; empty if no RCPT had any."""

    def distinct(self) -> "Envelope":
        """Return an envelope with each recipient once; of equal addresses the first one stays, with its options."""
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
