"""AUTH PLAIN and LOGIN (RFC 4954, RFC 4616): the dialogue; whether a password is right is asked elsewhere."""

import base64
import binascii
from typing import TYPE_CHECKING

import structlog

from relay.intake.lines import LineTooLongError
from relay.intake.path import BadCommandError
from relay.intake.throttle import TooManyLoginsError
from relay.model.errors import RelayError
from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse

if TYPE_CHECKING:
    from relay.intake.session import SmtpSession

log = structlog.get_logger()

_WRONG = refuse(Refused.WRONG_LOGIN)
_LATER = refuse(Refused.LOGIN_LATER)
_TOO_MANY = refuse(Refused.TOO_MANY_LOGINS)
_SHOWN = 100
"""Characters of a login that the log shows."""
_GOOD = Reply(code=235, enhanced="2.7.0", text="Welcome")


class Login:
    """One AUTH command."""

    def __init__(self, session: "SmtpSession") -> None:
        self._session = session

    async def run(self, argument: str) -> tuple[Reply, str | None]:
        """Hold the dialogue; gives the reply and the user's name. Raises BadCommandError where it is broken off."""
        mechanism, _, initial = argument.partition(" ")
        match mechanism.upper():
            case "PLAIN":
                credentials = _parse_plain(_decode(initial) if initial else await self._ask(""))
            case "LOGIN":
                login = _decode(initial) if initial else await self._ask("Username:")
                credentials = _text(login), _text(await self._ask("Password:"))
            case "":
                raise BadCommandError(501, "5.5.4", "Syntax: AUTH mechanism")
            case _:
                raise BadCommandError(504, "5.5.4", "Only PLAIN and LOGIN are known here")
        return await self._check(mechanism.upper(), *credentials)

    async def _check(self, mechanism: str, login: str, password: str) -> tuple[Reply, str | None]:
        session = self._session
        session.stop_clock()
        about = {"client": str(session.ip), "mechanism": mechanism, "login": login[:_SHOWN]}
        try:
            user = await session.desk.logins.check(session.ip, login, password)
        except TooManyLoginsError:
            log.warning("auth_failed", **about, reason="too many failed logins, this one was not looked at")
            return _TOO_MANY, None
        except (RelayError, OSError, MemoryError) as error:
            log.error("auth_failed", **about, reason=repr(error))
            return _LATER, None
        if user is not None:
            return _GOOD, user
        session.failed_logins += 1
        log.warning("auth_failed", **about, reason="wrong login or password")
        if session.failed_logins >= session.desk.limits.auth_failures:
            return refuse(Refused.GIVEN_UP), None
        return _WRONG, None

    async def _ask(self, prompt: str) -> bytes:
        self._session.send(f"334 {base64.b64encode(prompt.encode()).decode()}")
        try:
            line = await self._session.read_line()
        except LineTooLongError:
            raise BadCommandError(500, "5.5.6", "The answer is too long") from None
        if line == b"*":
            raise BadCommandError(501, "5.7.0", "The login was given up")
        return _decode(line.decode("ascii", "replace"))


def _decode(text: str) -> bytes:
    if text == "=":  # RFC 4954 section 4: an empty initial response
        return b""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise BadCommandError(501, "5.5.2", "This is not base64") from None


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _parse_plain(data: bytes) -> tuple[str, str]:
    parts = data.split(b"\0")
    if len(parts) != 3:
        raise BadCommandError(501, "5.5.2", "This is not PLAIN")
    authorization, login, password = map(_text, parts)
    if authorization in ("", login):
        return login, password
    # Nobody acts for somebody else here: it can only be wrong. No login holds a NUL, and the log shows both names.
    return f"{login}\0{authorization}", password
