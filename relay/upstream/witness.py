"""Who is told how the opening of a connection goes on: the account doctor, and nobody else."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

Witness: TypeAlias = Callable[[str, str, asyncio.BaseTransport | None], None]
"""Is called for each stage that has gone well, with what the server said there, veiled, and with the transport."""


def ignore(_stage: str, _said: str, _transport: asyncio.BaseTransport | None) -> None:
    """Be the witness who tells nobody."""


def only(stage: str, passed: Witness) -> Witness:
    """Return a witness that tells `passed` of one stage alone, as where the others have been told before."""

    def tell(reached: str, said: str, transport: asyncio.BaseTransport | None) -> None:
        if reached == stage:
            passed(reached, said, transport)

    return tell
