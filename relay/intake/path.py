"""The arguments of MAIL and RCPT: paths and parameters (RFC 5321 section 4.1.2), as strict as safety needs.

Brackets may be missing and blanks may stand where the grammar has none, since scanners write so; nothing else is
guessed.
"""

import re
from dataclasses import dataclass, field

from relay.intake.replies import make_reply
from relay.model.address import Address
from relay.model.reply import Reply
from relay.rules.address import parse_addr_spec
from relay.rules.refusal_parts import Part
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse, refuse_address

_PATH = re.compile(r'[ ]*+<((?>(?:[^<>"\\]|"(?>(?:[^"\\]|\\.)*)")*))>')
_BARE_PATH = re.compile(r'[ ]*+((?>(?:[^\s<>"\\]|"(?>(?:[^"\\]|\\.)*)")+))')
_ROUTE = re.compile(r"@[^:,@\s]++(?>(?:,@[^:,@\s]++)*):")
"""At the beginning of a path alone (RFC 5321 section 4.1.2, A-d-l)."""
_LONGEST_PATH = 1_000
"""Characters; RFC 5321 section 4.5.3.1.3 has 256 octets, without parameters."""
# The common form; whatever does not match takes the long way, with the same result.
_PLAIN = {key: re.compile(rf'{key}:<([^\s<>"\\,:]*)>(?: (.*))?', re.IGNORECASE | re.ASCII) for key in ("FROM", "TO")}
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20=\x7f]+))?")
_QUOTED = re.compile(r'"(?>(?:[^"\\]|\\.)*)"')


class BadCommandError(Exception):
    """A command that is refused; `reply` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


@dataclass(frozen=True, kw_only=True, slots=True)
class PathArgument:
    """The argument of MAIL or RCPT."""

    path: str
    """What stood in the brackets, without a source route; empty is the null path."""
    parameters: dict[str, str | None] = field(default_factory=dict)
    """By their names in capitals."""


def parse_argument(argument: str, keyword: str) -> PathArgument:
    """Parse `FROM:<path> parameters` or `TO:<path> parameters`. Raises BadCommandError."""
    plain = _PLAIN[keyword].fullmatch(argument)
    if plain is not None:
        return PathArgument(path=plain[1], parameters=_parameters(plain[2]) if plain[2] else {})
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
    return PathArgument(path=bare[route.end() if route else 0 :].strip(" "), parameters=_parameters(rest[path.end() :]))


def _parameters(text: str) -> dict[str, str | None]:
    parameters: dict[str, str | None] = {}
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


def _parse(address: str, whose: Part) -> Address:
    try:
        return parse_addr_spec(address)
    except ValueError as error:
        raise BadCommandError(refuse_address(whose, str(error))) from None
