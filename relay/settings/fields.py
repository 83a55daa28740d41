"""The types of single values. Each reader takes what TOML gives and raises ValueError with a reason.

The readers check the TOML type themselves: nothing is converted, so `port = "25"` and `admin = 1` are errors.
"""

import re
import shlex
from collections.abc import Callable
from typing import TypeAlias

from relay.model.account import Security
from relay.model.address import Address
from relay.rules.address import parse_addr_spec
from relay.rules.hours import parse_hours
from relay.settings.blanking import is_blank
from relay.settings.folders import GROUP_NAME
from relay.settings.quantities import parse_duration

Reader: TypeAlias = Callable[[object], object]

_LONGEST_TEXT = 1_000
_LONGEST_SHOWN = 80
_LONGEST_NAME = 255
USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_RESERVED = frozenset({"cur", "new", "tmp", "quarantine"})
"""Names that exist in a Maildir or beside it."""
_ARGON2ID = re.compile(r"\$argon2id\$v=[0-9]+\$m=[0-9]{1,8},t=[0-9]{1,4},p=[0-9]{1,3}(?:\$[A-Za-z0-9+/]+){2}")


def read_text(value: object) -> str:
    """Read a text for a protocol line or a header: one line, without control characters."""
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")  # noqa: TRY004 - an error of the file, not of the code
    if not value.strip():
        raise ValueError("must not be empty")
    # Beyond ASCII's controls these are line ends to some, or no characters at all.
    if any(c < " " or "\x7f" <= c <= "\x9f" or c in "\u2028\u2029" for c in value):
        raise ValueError("must not hold line ends or other control characters")
    if len(value) > _LONGEST_TEXT:
        raise ValueError(f"must not be longer than {_LONGEST_TEXT} characters")
    return value


def read_flag(value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false, without quotes")  # noqa: TRY004 - an error of the file, not of the code
    return value


def read_user_name(value: object) -> str:
    """Read a user's name, which is also the name of his inbox's folder."""
    if USER_NAME.fullmatch(name := read_text(value)) is None:
        raise ValueError(
            'must be letters a to z, digits and "._-" (at most 64), and not begin with "." or "-": it names a folder'
        )
    if name.casefold() in _RESERVED:
        raise ValueError("is a folder that a Maildir has itself, and an inbox is named after its user")
    return name


def read_name(value: object) -> str:
    """Read the name of an account or device."""
    name = read_text(value)
    if "/" in name or "\\" in name:
        raise ValueError("must not hold slashes")
    if name != name.strip():
        raise ValueError("must not begin or end with a space")
    if name.startswith(("-", ".")):
        raise ValueError(
            'must not begin with "-" or ".": commands would take it for an option, the system for a folder'
        )
    if len(name.encode("utf-8", "surrogatepass")) > _LONGEST_NAME:
        raise ValueError(f"must not be longer than {_LONGEST_NAME} octets")
    return name


def read_address(value: object) -> Address:
    """Read an e-mail address, without a display name."""
    return parse_addr_spec(read_text(value))


def read_password_hash(value: object) -> str:
    """Read an argon2id hash in its encoded form."""
    if not isinstance(value, str) or _ARGON2ID.fullmatch(value) is None:
        raise ValueError('must be an argon2id hash: "relay user password" makes one')
    return value


def read_command(value: object) -> tuple[str, ...]:
    """Read a command: a list of its words, or one text that is split as a shell would."""
    if isinstance(value, str):
        try:
            words: list[object] = [*shlex.split(value)]
        except ValueError:
            words = []
    else:
        words = value if isinstance(value, list) else []
    command = tuple(word for word in words if isinstance(word, str) and "\0" not in word)
    if not command or not command[0] or len(command) != len(words):
        raise ValueError("must be a command: a list of its words, or one text with balanced quotes")
    return command


def read_secret_text(value: object) -> str:
    """Read the secret of an account, which may be empty, as after a restore: that is told elsewhere."""
    return "" if value == "" else read_text(value)


def read_secret_command(value: object) -> tuple[str, ...]:
    """Read the command that gives the secret of an account; empty where that is, as `read_secret_text`."""
    return () if is_blank(value) else read_command(value)


def read_period(value: object) -> str:
    """Check one period of opening hours."""
    period = read_text(value)
    parse_hours([period], "UTC")
    return period


def read_timezone(value: object) -> str:
    """Check the name of a time zone."""
    name = read_text(value)
    parse_hours(["Mon-Sun 00:00-24:00"], name)
    return name


def read_leave(value: object) -> bool | int:
    """Read how long mail stays on the server: true, false, or a duration."""
    if isinstance(value, bool):
        return value
    try:
        return parse_duration(value)
    except ValueError:
        raise ValueError('must be true, false or a duration such as "14 days"') from None


def read_archive(value: object) -> bool | tuple[Address, ...]:
    """Read an account's `archive`: true, false, or addresses in place of the central ones."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, list) or not value:
        raise ValueError("must be true, false or a list of addresses")
    addresses: list[Address] = []
    for item in value:
        try:
            addresses.append(read_address(item))
        except ValueError as error:
            raise ValueError(f"{str(item)[:_LONGEST_SHOWN]!r}: {error}") from None
    return tuple(addresses)


def read_lease(value: object) -> int:
    """Read how long a claim is valid, and return milliseconds. Raises ValueError."""
    lease = parse_duration(value)
    if not 20_000 <= lease <= 3_600_000:
        raise ValueError('must be "20 s" to "1 h"')
    return lease


def _matching(pattern: re.Pattern[str], what: str) -> Reader:
    """Return a reader of a text that matches a pattern; `what` says what it must be."""

    def read_match(value: object) -> str:
        if pattern.fullmatch(text := read_text(value)) is None:
            raise ValueError(f"must be the name of {what}")
        return text

    return read_match


read_group_name = _matching(GROUP_NAME, 'a group of this system, such as "mail"')
read_environment_name = _matching(re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), 'an environment variable, without "$"')
# RFC 5322 section 2.2
read_header_name = _matching(re.compile(r"[!-9;-~]{1,77}"), 'a header field, such as "Delivered-To"')


def whole(least: int, most: int) -> Reader:
    """Return a reader of a whole number within limits."""

    def read_number(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"must be a whole number from {least} to {most}, without quotes")  # noqa: TRY004 - an error of the file, not of the code
        if not least <= value <= most:
            raise ValueError(f"must be {least} to {most}")
        return value

    return read_number


def one_of(*words: str, make: Callable[[str], str] = str) -> Reader:
    """Return a reader of one of a few words, of which it makes a value, such as the member of an enum."""
    *others, last = [f'"{word}"' for word in words]
    reason = f"must be {', '.join(others)} or {last}"
    if make is Security:
        reason += (
            '; what providers call "SSL" or "SSL/TLS" is "tls" here (port 465 or 995), their "STARTTLS" is "starttls"'
            " (587 or 110)"
        )

    def read_word(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(reason)
        return make(value)

    return read_word


def listed(value: object) -> object:
    """Take a single text for a list of it."""
    return [value] if isinstance(value, str) else value
