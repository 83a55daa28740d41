"""The course of an account's test: each step is told as soon as it has ended, with the time that it took."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from relay.rules.certificates import read_certificate
from relay.rules.greetings import read_clock

_SOON: Final = dt.timedelta(days=14)
_LAST_PART: Final = 0.2
"""Of a certificate's life, in which it should have been renewed: some live for a few days only."""
_CLOCK: Final = dt.timedelta(minutes=2)
"""By how much two clocks may differ: tokens and certificates bear no more than some minutes."""


READING: Final = "read the password"
"""The step that asks no server: the password is looked for where the configuration says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step and its result."""

    name: str
    good: bool
    text: str = ""
    advice: str = ""
    """What it means and what to do, in whole sentences."""
    warns: bool = False
    """Whether it works, and yet somebody should look."""
    login_refused: bool = False
    """Whether the provider refused the login: it is not to be tried again."""
    seconds: float = 0.0
    """How long it took."""


Tell: TypeAlias = Callable[[Step], None]


def tell_nobody(_step: Step) -> None:
    """Tell no step before the end."""


class Course:
    """The steps of one server's test."""

    def __init__(self, tell: Tell, names: Mapping[str, str]) -> None:
        """`names`: of the steps, by the stage of a connection."""
        self._tell = tell
        self._names = names
        self._begun = time.monotonic()
        self.steps: list[Step] = []

    def end(
        self,
        name: str,
        *,
        good: bool = True,
        text: str = "",
        advice: str = "",
        warns: bool = False,
        login_refused: bool = False,
        seconds: float | None = None,
    ) -> list[Step]:
        """Tell a step that has ended; `seconds`: where it did not begin as the one before it ended. Returns all."""
        now = time.monotonic()
        step = Step(
            name=name,
            good=good,
            text=text,
            advice=advice,
            warns=warns,
            login_refused=login_refused,
            seconds=now - self._begun if seconds is None else seconds,
        )
        self._begun = now
        self.steps.append(step)
        self._tell(step)
        return self.steps

    def witness(self, stage: str, said: str, transport: asyncio.BaseTransport | None) -> None:
        """Tell of a stage of a connection that has gone well, and of what is seen there."""
        now = dt.datetime.now(dt.UTC)
        text, advice = said, ""
        if stage == "connect" and transport is not None:
            text = "; ".join(filter(None, (_address(transport), _version(transport), said)))
        elif stage == "starttls" and transport is not None:
            text = _version(transport)
        if stage in ("connect", "starttls") and transport is not None:
            ends, advice = _certificate(transport, now)
            text = "; ".join(filter(None, (text, ends)))
        self.end(self._names[stage], text=text, advice=advice, warns=bool(advice))
        if (clock := read_clock(said)) is not None:
            self._compare(clock, now)

    def _compare(self, server: dt.datetime, here: dt.datetime) -> None:
        if abs(server - here) <= _CLOCK:
            self.end("clock", text="this machine's agrees with the server's")
            return
        text = f"this machine says that it is {here:%Y-%m-%d %H:%M} UTC, the server {server:%Y-%m-%d %H:%M} UTC"
        advice = (
            "Set this machine's clock, and let it be kept (`timedatectl set-ntp true`): with a wrong one certificates"
            " and tokens are refused, and mails bear a wrong date."
        )
        self.end("clock", text=text, advice=advice, warns=True)


def _address(transport: asyncio.BaseTransport) -> str:
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""


def _version(transport: asyncio.BaseTransport) -> str:
    secured = transport.get_extra_info("ssl_object")
    return "" if secured is None else str(secured.version() or "")


def _certificate(transport: asyncio.BaseTransport, now: dt.datetime) -> tuple[str, str]:
    """Return until when the certificate is good, and what to do where that is soon; empty where there is none."""
    secured = transport.get_extra_info("ssl_object")
    der = None if secured is None else secured.getpeercert(binary_form=True)
    found = None if der is None else read_certificate(der)
    if found is None:
        return "", ""
    left = found.until - now
    if left < dt.timedelta():
        return f"certificate has ended on {found.until:%Y-%m-%d}, which verify = false takes", ""
    text = f"certificate good for {left.days} days, until {found.until:%Y-%m-%d}"
    if left > min(_SOON, (found.until - found.since) * _LAST_PART):
        return text, ""
    return text, "The provider must renew it before: then nothing is sent or collected any more. Tell them."
