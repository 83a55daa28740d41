"""What MAIL and RCPT are answered by themselves, whoever keeps the session: who may send, who is meant."""

from typing import Final

from relay.intake.budget import Ip
from relay.intake.parameters import MailParameters, read_mail_parameters, read_rcpt_parameters
from relay.intake.path import BadCommandError, parse_argument, parse_forward_path, parse_reverse_path
from relay.model.address import Address
from relay.model.envelope import DsnOptions
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse
from relay.settings import Listener

TOO_MANY_RECIPIENTS: Final = refuse(Refused.TOO_MANY_RECIPIENTS)
_INTERNATIONAL: Final = refuse(Refused.INTERNATIONAL)


def offers_login(listener: Listener, ip: Ip, *, over_tls: bool, has_passwords: bool) -> bool:
    """Tell whether AUTH is offered: somebody has a password, and nobody could listen, or the listener allows that."""
    return has_passwords and (over_tls or ip.is_loopback or listener.plaintext_auth)


def refuse_stranger(listener: Listener, login: str | None, *, may_log_in: bool) -> Reply | None:
    """Refuse MAIL of somebody who has not logged in, where everybody must."""
    if not listener.require_auth or login is not None:
        return None
    return refuse(Refused.NO_LOGIN if may_log_in else Refused.NO_TLS)


def read_sender(argument: str, *, esmtp: bool, may_log_in: bool) -> tuple[Address | None, MailParameters]:
    """Read the argument of MAIL; the address is None for the null path. Raises BadCommandError."""
    parsed = parse_argument(argument, "FROM")
    asked = read_mail_parameters(parsed, esmtp=esmtp, may_log_in=may_log_in)
    reverse_path = parse_reverse_path(parsed.path)
    if reverse_path is not None and not parsed.path.isascii() and not asked.smtputf8:
        raise BadCommandError.by(_INTERNATIONAL)
    return reverse_path, asked


def read_recipient(
    argument: str, *, esmtp: bool, smtputf8: bool, postmaster: Address | None
) -> tuple[Address, DsnOptions]:
    """Read the argument of RCPT; `postmaster` is who a bare `<postmaster>` is. Raises BadCommandError."""
    parsed = parse_argument(argument, "TO")
    options = read_rcpt_parameters(parsed, esmtp=esmtp)
    if not parsed.path.isascii() and not smtputf8:
        raise BadCommandError.by(_INTERNATIONAL)
    return parse_forward_path(parsed.path, postmaster), options
