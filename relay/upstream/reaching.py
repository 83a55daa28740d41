"""Finds a server's addresses, and tries those of IPv4 and of IPv6 apart: a connection hides which of them fails."""

import asyncio
import errno
import socket
import time
from typing import Final

from relay.model.account import Server
from relay.rules.answers.connection_rows import explain_cause, read_cause
from relay.rules.answers.row import Cause
from relay.upstream.course import Course
from relay.upstream.dialing import Address, describe_fault, first_of_families, reach, resolve

PATIENCE: Final = 20.0
"""Seconds for one step of a test."""
_FAMILY: Final = 5.0
"""Seconds for a connection to the address of one family."""
_NOT_HERE: Final = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""Faults of a machine without addresses of a family."""


async def find_host(course: Course, server: Server) -> bool:
    """Find the host, and where it has addresses of both families, try each of them; returns whether it was found."""
    name, host = "find the host", server.host
    try:
        async with asyncio.timeout(PATIENCE):
            found = await resolve(host, server.port)
    except TimeoutError:
        text, cause = f"{host}: its name was not resolved in time", Cause.NAME_SERVER
    except OSError as error:
        text = f"{host}: {error.strerror}"
        cause = read_cause(text) or Cause.NO_SUCH_HOST
    else:
        course.end(name, text=", ".join(dict.fromkeys(str(entry[4][0]) for entry in found)))
        families = first_of_families(found)
        if len(families) > 1:  # else the connection itself is the trial
            await asyncio.gather(*(_try_family(course, one) for one in families))
        return True
    words = explain_cause(cause, "en")
    course.end(name, good=False, text=text, advice=str(words))
    return False


async def _try_family(course: Course, address: Address) -> None:
    begun = time.monotonic()
    family, other = ("IPv6", "IPv4") if address[0] is socket.AF_INET6 else ("IPv4", "IPv6")
    name, where, advice = f"connect over {family}", str(address[4][0]), ""
    try:
        await reach(address, seconds=_FAMILY)
    except OSError as error:
        text = describe_fault(error, where)[1]
        if error.errno in _NOT_HERE:
            text = f"this machine has no {family} to the internet, {other} is used"
        else:
            advice = (
                f"The server can't be reached over {family}; connections then go over {other}, each a little later."
                f" If other servers fail over {family} as well, mend it in this network or switch it off;"
                " else tell the provider."
            )
    else:
        text = where
    course.end(name, text=text, advice=advice, warns=bool(advice), seconds=time.monotonic() - begun)
