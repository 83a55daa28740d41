"""The clients' shares of the disk.

What a client has written of mails that are not whole counts again for itself: it gets no more where it has more than
it leaves to the others, so that mails which never end fill no disk.
"""

from collections import Counter
from collections.abc import Callable

from relay.intake.budget import Ip


class SharedRoom:
    """Room on the disk for what clients send. `has` tells whether there is room for a mail of so many octets."""

    def __init__(self, has: Callable[[int], bool]) -> None:
        self.has = has
        self._unfinished: Counter[Ip] = Counter()

    def take(self, ip: Ip, octets: int) -> bool:
        """Count octets of a mail that is not whole, which are about to be written; false, and not counted, if too many.

        What is counted must be given back, once the mail is whole or gone.
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
