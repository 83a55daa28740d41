"""The parameters of MAIL and RCPT: SIZE, BODY, SMTPUTF8, AUTH (RFC 1870, 6152, 6531, 4954) and those of RFC 3461."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from relay.intake.path import BadCommandError, PathArgument
from relay.intake.replies import make_reply
from relay.model.envelope import DsnOptions
from relay.rules.dsn import read_envelope_id, read_notify, read_orcpt, read_ret

_SIZE = re.compile(r"[0-9]{1,20}")
NO_OPTIONS: Final = DsnOptions()


@dataclass(frozen=True, kw_only=True, slots=True)
class MailParameters:
    """What MAIL said beside the path (RFC 1870, 6531, 3461)."""

    size: int | None = None
    """Octets, as the client counts them."""
    smtputf8: bool = False
    ret: str = ""
    envelope_id: str = ""


NO_PARAMETERS: Final = MailParameters()


def read_mail_parameters(parsed: PathArgument, *, esmtp: bool, may_log_in: bool) -> MailParameters:
    """Read the parameters of MAIL. Raises BadCommandError."""
    if not parsed.parameters:
        return NO_PARAMETERS
    given = _given(parsed, esmtp=esmtp)
    size = None
    if "SIZE" in given:
        text = given.pop("SIZE") or ""
        if _SIZE.fullmatch(text) is None:
            raise BadCommandError(make_reply(501, "5.5.4", "SIZE takes a number"))
        size = int(text)
    if "BODY" in given and (given.pop("BODY") or "").upper() not in ("7BIT", "8BITMIME"):
        raise BadCommandError(make_reply(501, "5.5.4", "BODY is 7BIT or 8BITMIME"))
    smtputf8 = "SMTPUTF8" in given
    if smtputf8 and given.pop("SMTPUTF8") is not None:
        raise BadCommandError(make_reply(501, "5.5.4", "SMTPUTF8 takes no value"))
    if may_log_in:
        given.pop("AUTH", None)  # RFC 4954 section 5: who wrote it first; nobody here needs it
    ret, envelope_id = _read_option(read_ret, given, "RET"), _read_option(read_envelope_id, given, "ENVID")
    _refuse_others(given)
    return MailParameters(size=size, smtputf8=smtputf8, ret=ret, envelope_id=envelope_id)


def read_rcpt_parameters(parsed: PathArgument, *, esmtp: bool) -> DsnOptions:
    """Read the parameters of RCPT. Raises BadCommandError."""
    if not parsed.parameters:
        return NO_OPTIONS
    given = _given(parsed, esmtp=esmtp)
    options = DsnOptions(
        notify=_read_option(read_notify, given, "NOTIFY"), orcpt=_read_option(read_orcpt, given, "ORCPT")
    )
    _refuse_others(given)
    return options


def _given(parsed: PathArgument, *, esmtp: bool) -> dict[str, str | None]:
    if not esmtp:
        raise BadCommandError(make_reply(501, "5.5.4", "Parameters need EHLO"))
    return dict(parsed.parameters)


def _read_option(read: Callable[[str | None], str], given: dict[str, str | None], name: str) -> str:
    if name not in given:
        return ""
    try:
        return read(given.pop(name))
    except ValueError as error:
        raise BadCommandError(make_reply(501, "5.5.4", str(error))) from None


def _refuse_others(given: dict[str, str | None]) -> None:
    if given:
        raise BadCommandError(make_reply(555, "5.5.4", "An unknown parameter"))
