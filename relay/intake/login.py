"""AUTH PLAIN and LOGIN (RFC 4954, RFC 4616) on aiosmtpd's dialogue; whether a password is right is asked elsewhere.

aiosmtpd checks a login in the event loop's thread, and knows mechanisms in capital letters alone.
"""

from base64 import b64decode
from binascii import Error
from functools import partial
from typing import Any, Final

from aiosmtpd.smtp import MISSING, AuthResult, LoginPassword

from relay.emitting import emit
from relay.events.sessions import AuthFailed, AuthNotChecked
from relay.intake.commands import BadCommandError
from relay.intake.connection import LONGEST_COMMAND, Connection
from relay.intake.replies import ANSWER_TOO_LONG, EHLO_FIRST, make_reply
from relay.intake.throttle import TooManyLoginsError
from relay.model.errors import RelayError
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse

_WRONG: Final = refuse(Refused.WRONG_LOGIN)
_LATER: Final = refuse(Refused.LOGIN_LATER)
_TOO_MANY: Final = refuse(Refused.TOO_MANY_LOGINS)
_WELCOME: Final = "235 2.7.0 Welcome"
_SHOWN: Final = 100
"""Characters of a login that the log shows."""
_LONGEST_ANSWER: Final = LONGEST_COMMAND * 3 // 4
"""Octets of an answer behind its base64."""


class LoginDialogue(Connection):
    """The part of a session that logs in."""

    # LOGIN has no RFC: draft-murchison-sasl-login knows of clients that answer to these words alone, not aiosmtpd's.
    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"
    _failed_logins = 0

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Log in; the mechanism may be written in small letters."""
        if not self.session.extended_smtp:
            raise BadCommandError(EHLO_FIRST)
        mechanism, blank, response = (arg or "").partition(" ")
        await super().smtp_AUTH(f"{mechanism.upper()}{blank}{response}".strip())  # of what it splits at, too

    async def challenge_auth(
        self,
        challenge: str | bytes,
        encode_to_b64: bool = True,  # noqa: FBT001, FBT002 - aiosmtpd's signature
        log_client_response: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:  # noqa: ANN401 - octets, or aiosmtpd's MISSING
        """Ask the client; one that leaves instead has answered nothing. Raises BadCommandError at a long answer."""
        try:
            answer = await super().challenge_auth(challenge, encode_to_b64, log_client_response)
        except ValueError:  # asyncio's word for a line beyond READ_AHEAD, of which the rest is still to come
            self.end(ANSWER_TOO_LONG)
        if answer == b"" and self._reader.at_eof():
            self.end(None)
        if answer is not MISSING and len(answer) > _LONGEST_ANSWER:
            raise BadCommandError(ANSWER_TOO_LONG)
        return answer

    async def auth_PLAIN(self, _: object, args: list[str]) -> AuthResult:
        """Check a login; aiosmtpd's does not look at the identity that it should act for, and can't wait."""
        if len(args) == 1:
            response = await self.challenge_auth("")
            if response is MISSING:
                return AuthResult(success=False)
        else:
            response = _decode(args[1])
        parts = response.split(b"\0")
        if len(parts) != 3:
            raise BadCommandError(make_reply(501, "5.5.2", "This is not PLAIN"))
        identity, login, password = map(_text, parts)
        if identity not in ("", login):
            # Nobody acts for somebody else here: it can only be wrong. No login holds a NUL, and the log shows both.
            login = f"{login}\0{identity}"
        return await self._check("PLAIN", login, password)

    async def auth_LOGIN(self, _: object, args: list[str]) -> AuthResult:
        """Check a login; aiosmtpd asks for it, but can't wait for the check."""
        result = await super().auth_LOGIN(_, args)
        if result.auth_data is None:
            return result
        return await self._check("LOGIN", *map(_text, result.auth_data))

    def _authenticate(self, _mechanism: str, auth_data: LoginPassword) -> AuthResult:
        """Hand on what `auth_LOGIN` has asked for. It counts as wrong until `_check` has checked it."""
        return AuthResult(success=False, handled=False, auth_data=auth_data)

    async def _check(self, mechanism: str, login: str, password: str) -> AuthResult:
        failed = partial(AuthFailed, client=str(self.ip), mechanism=mechanism, login=login[:_SHOWN])
        self.deadline.clear()
        try:
            user = await self.context.shared.logins.check(self.ip, login, password)
        except TooManyLoginsError:
            emit(failed(reason="too many failed logins, this one was not looked at"))
            return _refuse(_TOO_MANY)
        except (RelayError, OSError, MemoryError) as error:
            emit(AuthNotChecked(client=str(self.ip), mechanism=mechanism, login=login[:_SHOWN], reason=repr(error)))
            return _refuse(_LATER)
        finally:
            self.restart_clock()
        if user is not None:
            return AuthResult(success=True, message=_WELCOME, auth_data=user)
        self._failed_logins += 1
        emit(failed(reason="wrong login or password"))
        given_up = self._failed_logins >= self.context.limits.auth_failures
        return _refuse(refuse(Refused.GIVEN_UP) if given_up else _WRONG)


def _refuse(reply: Any) -> AuthResult:  # noqa: ANN401 - aiosmtpd hands any reply to `push`, but types it as text
    return AuthResult(success=False, handled=False, message=reply)


def _decode(text: str) -> bytes:
    if text == "=":  # RFC 4954 section 4: an empty initial response
        return b""
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (Error, ValueError):
        raise BadCommandError(make_reply(501, "5.5.2", "This is not base64")) from None


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
