"""What is judged by itself, in a session and by `relay explain`: EHLO, MAIL, RCPT, and the octets of a mail.

Paths (RFC 5321 section 4.1.2) are read as strictly as safety needs: brackets may be missing and blanks may stand where
the grammar has none, since scanners write so; nothing else is guessed. Parameters are SIZE, BODY, SMTPUTF8, AUTH
(RFC 1870, 6152, 6531, 4954) and those of RFC 3461.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from relay.intake.budget import Ip
from relay.intake.replies import CONTROL_CHARACTERS, make_reply
from relay.model.address import Address
from relay.model.envelope import DsnOptions
from relay.model.reply import Reply
from relay.rules.address import parse_addr_spec
from relay.rules.dsn import read_envelope_id, read_notify, read_orcpt, read_ret
from relay.rules.message_splitter import CHUNK, MessageSplitter
from relay.rules.refusal_texts import Part, Refused
from relay.rules.refusals import refuse, refuse_address, refuse_size
from relay.settings import Listener

TOO_MANY_RECIPIENTS: Final = refuse(Refused.TOO_MANY_RECIPIENTS)
TOO_LARGE: Final = "too_large"
_LONG_LINE: Final = refuse(Refused.LONG_LINE)
_INTERNATIONAL: Final = refuse(Refused.INTERNATIONAL)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NO_UTF8: Final = re.compile(r"[\ud800-\udfff]")
_PATH = re.compile(r'[ ]*+<((?>(?:[^<>"\\]|"(?>(?:[^"\\]|\\.)*)")*))>')
_BARE_PATH = re.compile(r'[ ]*+((?>(?:[^\s<>"\\]|"(?>(?:[^"\\]|\\.)*)")+))')
_ROUTE = re.compile(r"@[^:,@\s]++(?>(?:,@[^:,@\s]++)*):")
"""At the beginning of a path alone (RFC 5321 section 4.1.2, A-d-l)."""
_LONGEST_PATH = 1_000
"""Characters; RFC 5321 section 4.5.3.1.3 has 256 octets, without parameters."""
_LONGEST_REMEMBERED = 100
"""Characters of an address that is not parsed anew each time."""
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20=\x7f]+))?")
_QUOTED = re.compile(r'"(?>(?:[^"\\]|\\.)*)"')
_SIZE = re.compile(r"[0-9]{1,20}")
NO_OPTIONS: Final = DsnOptions()


Parameters = dict[str, str | None]
"""By their names in capitals."""


class BadCommandError(Exception):
    """A command that is refused; `reply` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


@dataclass(frozen=True, kw_only=True, slots=True)
class MailParameters:
    """What MAIL said beside the path (RFC 1870, 6531, 3461)."""

    size: int | None = None
    """Octets, as the client counts them."""
    smtputf8: bool = False
    ret: str = ""
    envelope_id: str = ""


NO_PARAMETERS: Final = MailParameters()


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
    path, given = parse_argument(argument, "FROM")
    parameters = read_mail_parameters(given, esmtp=esmtp, may_log_in=may_log_in)
    reverse_path = parse_reverse_path(path)
    if reverse_path is not None and not path.isascii() and not parameters.smtputf8:
        raise BadCommandError(_INTERNATIONAL)
    return reverse_path, parameters


def read_recipient(
    argument: str, *, esmtp: bool, smtputf8: bool, postmaster: Address | None
) -> tuple[Address, DsnOptions]:
    """Parse the argument of RCPT; `postmaster` is who a bare `<postmaster>` is. Raises BadCommandError."""
    path, given = parse_argument(argument, "TO")
    options = read_rcpt_parameters(given, esmtp=esmtp)
    if not path.isascii() and not smtputf8:
        raise BadCommandError(_INTERNATIONAL)
    return parse_forward_path(path, postmaster), options


def parse_argument(argument: str, keyword: str) -> tuple[str, Parameters]:
    """Parse `FROM:<path> parameters` or `TO:<path> parameters`. Raises BadCommandError.

    Returns what stood in the brackets, without a source route (empty is the null path), and the parameters.
    """
    found = re.match(rf"[ ]*{keyword}[ ]*:", argument, re.IGNORECASE)
    if found is None:
        raise BadCommandError(
            make_reply(501, "5.5.4", f"Syntax: {'MAIL' if keyword == 'FROM' else 'RCPT'} {keyword}:<address>")
        )
    rest = argument[found.end() :]
    whose = Part.SENDER if keyword == "FROM" else Part.RECIPIENT
    # Parameters stand behind the last bracket.
    _check_length(rest.rfind(">") if ">" in rest else len(rest), whose)
    path = _PATH.match(rest) or _BARE_PATH.match(rest)
    if path is None or rest[path.end() :][:1] not in ("", " "):
        raise BadCommandError(refuse_address(whose, "is not of the form name@domain"))
    bare = path[1].strip(" ")
    route = _ROUTE.match(bare)
    return bare[route.end() if route else 0 :].strip(" "), _parameters(rest[path.end() :])


def _parameters(text: str) -> Parameters:
    parameters: Parameters = {}
    for word in text.split():
        found = _PARAMETER.fullmatch(word)
        if found is None or found[1].upper() in parameters:
            raise BadCommandError(make_reply(501, "5.5.4", "A parameter that is none, or comes twice"))
        parameters[found[1].upper()] = found[2]
    return parameters


def parse_reverse_path(path: str) -> Address | None:
    """Give the address of MAIL; None is the null path. A name without a domain, as programs on one machine send it, is
    taken as `@localhost`: the envelope sender is replaced anyway. Raises BadCommandError."""  # noqa: D205, D209
    if not path:
        return None
    _check_length(len(path), Part.SENDER)
    return _parse(path if "@" in _QUOTED.sub("", path) else f"{path}@localhost", Part.SENDER)


def parse_forward_path(path: str, postmaster: Address | None) -> Address:
    """Give the address of RCPT; a bare `<postmaster>` is the one given. Raises BadCommandError."""
    _check_length(len(path), Part.RECIPIENT)
    if path.lower() == "postmaster" and postmaster is not None:
        return postmaster
    if path and "@" not in _QUOTED.sub("", path):
        raise BadCommandError(refuse(Refused.NO_DOMAIN))
    return _parse(path, Part.RECIPIENT)


def _check_length(length: int, whose: Part) -> None:
    if length > _LONGEST_PATH:
        raise BadCommandError(refuse_address(whose, "is longer than any"))


# The same people write to the same people: of the addresses of a mail's envelope most have been parsed before.
_parse_once: Final = functools.lru_cache(maxsize=1024)(parse_addr_spec)


def _parse(address: str, whose: Part) -> Address:
    try:
        return (_parse_once if len(address) <= _LONGEST_REMEMBERED else parse_addr_spec)(address)
    except ValueError as error:
        raise BadCommandError(refuse_address(whose, str(error))) from None


def read_mail_parameters(given: Parameters, *, esmtp: bool, may_log_in: bool) -> MailParameters:
    """Read the parameters of MAIL. Raises BadCommandError."""
    if not given:
        return NO_PARAMETERS
    _require_ehlo(esmtp=esmtp)
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


def read_rcpt_parameters(given: Parameters, *, esmtp: bool) -> DsnOptions:
    """Read the parameters of RCPT. Raises BadCommandError."""
    if not given:
        return NO_OPTIONS
    _require_ehlo(esmtp=esmtp)
    options = DsnOptions(
        notify=_read_option(read_notify, given, "NOTIFY"), orcpt=_read_option(read_orcpt, given, "ORCPT")
    )
    _refuse_others(given)
    return options


def _require_ehlo(*, esmtp: bool) -> None:
    if not esmtp:
        raise BadCommandError(make_reply(501, "5.5.4", "Parameters need EHLO"))


def _read_option(read: Callable[[str | None], str], given: Parameters, name: str) -> str:
    if name not in given:
        return ""
    try:
        return read(given.pop(name))
    except ValueError as error:
        raise BadCommandError(make_reply(501, "5.5.4", str(error))) from None


def _refuse_others(given: Parameters) -> None:
    if given:
        raise BadCommandError(make_reply(555, "5.5.4", "An unknown parameter"))


class ContentRefusal(NamedTuple):
    """Why the content of a mail is not taken."""

    reason: str
    """A short word for the log."""
    reply: Reply


def most_refused(most: int) -> int:
    """Return how many octets are read of a mail that may have `most`, before its client is cut off."""
    return 2 * most + CHUNK


def refuse_octets(size: int, *, most: int, too_long: bool, whole: bool = False) -> ContentRefusal | None:
    """Refuse a mail of more than `most` octets, or with a line that is too long; `whole`: no more of it will come."""
    if size > most:
        return ContentRefusal(TOO_LARGE, refuse_size(size if whole else None, most=most))
    return ContentRefusal("long_line", _LONG_LINE) if too_long else None


def refuse_header(splitter: MessageSplitter, *, most: int) -> ContentRefusal | None:
    """Refuse a header of more than `most` octets, or one whose end can't be told."""
    if splitter.too_large:
        return ContentRefusal("large_header", refuse(Refused.LARGE_HEADER, most=str(most)))
    if splitter.stray_line is not None:
        return ContentRefusal("broken_header", refuse(Refused.BROKEN_HEADER, line=str(splitter.stray_line)))
    return None
