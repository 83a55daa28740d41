"""The clients' shares of the disk.

What a client has written of unfinished mails counts a second time against that client: it gets no more where it has
more than it leaves to the others, so that mails which never end do not fill the disk.
"""

from collections import Counter
from collections.abc import Callable

from relay.intake.budget import Ip


class SharedDiskSpace:
    """Space on the disk for what clients send. `has` returns whether a mail of so many octets still fits."""

    def __init__(self, has: Callable[[int], bool]) -> None:
        self.has = has
        self._unfinished: Counter[Ip] = Counter()

    def take(self, ip: Ip, octets: int) -> bool:
        """Count octets of an unfinished mail, about to be written. Returns False, and counts nothing, if too many.

        What is counted must be given back once the mail is complete or dropped.
        """
        if not self.has(self._unfinished[ip] + octets):
            return False
        self._unfinished[ip] += octets
        return True

    def give(self, ip: Ip, octets: int) -> None:
        """Give back what was counted."""
        self._unfinished[ip] -= octets
        if self._unfinished[ip] <= 0:
            del self._unfinished[ip]
