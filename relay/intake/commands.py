"""How EHLO, MAIL and RCPT are judged by themselves, in a session and by `relay explain`: who may send, who is meant."""

import re
from typing import Final

from relay.intake.budget import Ip
from relay.intake.parameters import MailParameters, read_mail_parameters, read_rcpt_parameters
from relay.intake.path import BadCommandError, parse_argument, parse_forward_path, parse_reverse_path
from relay.intake.replies import CONTROL_CHARACTERS, make_reply
from relay.model.address import Address
from relay.model.envelope import DsnOptions
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse
from relay.settings import Listener

TOO_MANY_RECIPIENTS: Final = refuse(Refused.TOO_MANY_RECIPIENTS)
_INTERNATIONAL: Final = refuse(Refused.INTERNATIONAL)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NO_UTF8: Final = re.compile(r"[\ud800-\udfff]")


def check_characters(argument: str, *, is_path: bool = False) -> None:
    """Refuse control characters, and octets that are no UTF-8 (they come as surrogates). Raises BadCommandError."""
    if argument.isascii() and argument.isprintable():
        return
    if _NO_UTF8.search(argument) is not None:
        raise BadCommandError(make_reply(*((553, "5.6.7") if is_path else (500, "5.5.2")), "This is not UTF-8"))
    if _CONTROL.search(argument) is not None:
        raise BadCommandError(CONTROL_CHARACTERS)


def offers_login(listener: Listener, ip: Ip, *, over_tls: bool, has_passwords: bool) -> bool:
    """Return whether AUTH is offered: somebody has a password, and nobody can listen, or the listener allows it."""
    return has_passwords and (over_tls or ip.is_loopback or listener.plaintext_auth)


def refuse_without_login(listener: Listener, login: str | None, *, may_log_in: bool) -> Reply | None:
    """Return the refusal of MAIL for a client that must log in and has not, else None."""
    if not listener.require_auth or login is not None:
        return None
    return refuse(Refused.NO_LOGIN if may_log_in else Refused.NO_TLS)


def read_sender(argument: str, *, esmtp: bool, may_log_in: bool) -> tuple[Address | None, MailParameters]:
    """Parse the argument of MAIL; the address is None for the null path. Raises BadCommandError."""
    parsed = parse_argument(argument, "FROM")
    parameters = read_mail_parameters(parsed, esmtp=esmtp, may_log_in=may_log_in)
    reverse_path = parse_reverse_path(parsed.path)
    if reverse_path is not None and not parsed.path.isascii() and not parameters.smtputf8:
        raise BadCommandError(_INTERNATIONAL)
    return reverse_path, parameters


def read_recipient(
    argument: str, *, esmtp: bool, smtputf8: bool, postmaster: Address | None
) -> tuple[Address, DsnOptions]:
    """Parse the argument of RCPT; `postmaster` is who a bare `<postmaster>` is. Raises BadCommandError."""
    parsed = parse_argument(argument, "TO")
    options = read_rcpt_parameters(parsed, esmtp=esmtp)
    if not parsed.path.isascii() and not smtputf8:
        raise BadCommandError(_INTERNATIONAL)
    return parse_forward_path(parsed.path, postmaster), options
