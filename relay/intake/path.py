"""The arguments of MAIL and RCPT: paths and parameters (RFC 5321 section 4.1.2), as strict as safety needs.

Brackets may be missing and blanks may stand where the grammar has none, since scanners write so; nothing else is
guessed.
"""

import re
from dataclasses import dataclass, field

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

    def __init__(self, code: int, enhanced: str, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(code=code, enhanced=enhanced, text=text)

    @classmethod
    def by(cls, reply: Reply) -> "BadCommandError":
        """Refuse by a reply that is there already."""
        error = cls(reply.code, reply.enhanced, reply.text)
        error.reply = reply
        return error


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
        raise BadCommandError(501, "5.5.4", f"Syntax: {'MAIL' if keyword == 'FROM' else 'RCPT'} {keyword}:<address>")
    rest = argument[found.end() :]
    if _length(rest) > _LONGEST_PATH:
        raise BadCommandError.by(refuse_address(_whose(keyword), "is longer than any"))
    path = _PATH.match(rest) or _BARE_PATH.match(rest)
    if path is None or rest[path.end() :][:1] not in ("", " "):
        raise BadCommandError.by(refuse_address(_whose(keyword), "is not of the form name@domain"))
    bare = path[1].strip(" ")
    route = _ROUTE.match(bare)
    return PathArgument(path=bare[route.end() if route else 0 :].strip(" "), parameters=_parameters(rest[path.end() :]))


def _length(rest: str) -> int:
    """Give how long a path is at most, with what stands before it; parameters stand behind the last bracket."""
    return rest.rfind(">") if ">" in rest else len(rest)


def _parameters(text: str) -> dict[str, str | None]:
    parameters: dict[str, str | None] = {}
    for word in text.split():
        found = _PARAMETER.fullmatch(word)
        if found is None or found[1].upper() in parameters:
            raise BadCommandError(501, "5.5.4", "A parameter that is none, or comes twice")
        parameters[found[1].upper()] = found[2]
    return parameters


def parse_reverse_path(path: str) -> Address | None:
    """Give the address of MAIL; None is the null path. A name without a domain, as programs on one machine send it, is
    taken as `@localhost`: the envelope sender is replaced anyway. Raises BadCommandError."""  # noqa: D205, D209
    if not path:
        return None
    if len(path) > _LONGEST_PATH:
        raise BadCommandError.by(refuse_address(Part.SENDER, "is longer than any"))
    try:
        return parse_addr_spec(path if "@" in _QUOTED.sub("", path) else f"{path}@localhost")
    except ValueError as error:
        raise BadCommandError.by(refuse_address(Part.SENDER, str(error))) from None


def parse_forward_path(path: str, postmaster: Address | None) -> Address:
    """Give the address of RCPT; a bare `<postmaster>` is the one given. Raises BadCommandError."""
    if len(path) > _LONGEST_PATH:
        raise BadCommandError.by(refuse_address(Part.RECIPIENT, "is longer than any"))
    if path.lower() == "postmaster" and postmaster is not None:
        return postmaster
    if path and "@" not in _QUOTED.sub("", path):
        raise BadCommandError.by(refuse(Refused.NO_DOMAIN))
    try:
        return parse_addr_spec(path)
    except ValueError as error:
        raise BadCommandError.by(refuse_address(Part.RECIPIENT, str(error))) from None


def _whose(keyword: str) -> Part:
    return Part.SENDER if keyword == "FROM" else Part.RECIPIENT
