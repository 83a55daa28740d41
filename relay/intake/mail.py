"""What was said of one mail since MAIL (RFC 5321 section 3.3): aiosmtpd's envelope, with parsed addresses."""

from aiosmtpd.smtp import Envelope as AiosmtpdEnvelope

from relay.intake.budget import Holding
from relay.intake.commands import NO_OPTIONS, NO_PARAMETERS, MailParameters
from relay.model.address import Address
from relay.model.envelope import DsnOptions, Envelope


class Mail(AiosmtpdEnvelope):
    """One mail transaction; `mail_from` is empty until MAIL was accepted, then the path as it was written."""

    rcpt_tos: list[Address]  # type: ignore[assignment]  # aiosmtpd keeps texts
    rcpt_options: list[DsnOptions]  # type: ignore[assignment]  # as above
    """For each of `rcpt_tos`."""
    reverse_path: Address | None = None
    """The parsed `mail_from`; None is the null path."""
    parameters: MailParameters = NO_PARAMETERS
    """What MAIL said beside the path."""
    size = 0
    """Octets that the recipients are counted with."""
    holding: Holding | None = None
    """What the transaction takes of its client's share of the memory; whoever takes the mail takes it, too."""

    @property
    def shown_sender(self) -> str:
        """The sender as the log shows it."""
        return str(self.reverse_path or "<>")

    def release(self) -> None:
        """Give back what is held of the client's share."""
        if self.holding is not None:
            self.holding.close()
            self.holding = None

    def to_envelope(self) -> Envelope:
        """Return the envelope as the rules take it."""
        options = tuple(self.rcpt_options)
        return Envelope(
            reverse_path=self.reverse_path,
            recipients=tuple(self.rcpt_tos),
            smtputf8=self.parameters.smtputf8,
            ret=self.parameters.ret,
            envelope_id=self.parameters.envelope_id,
            dsn_options=options if any(one != NO_OPTIONS for one in options) else (),
        )
