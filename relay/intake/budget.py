"""How much memory all mails that are being taken in may use together."""


class ByteBudget:
    """A number of octets that sessions share; what is taken must be given back."""

    def __init__(self, octets: int) -> None:
        self._all = self._free = octets

    def resize(self, octets: int) -> None:
        """Change how many there are; what is taken stays taken."""
        self._free += octets - self._all
        self._all = octets

    @property
    def free(self) -> int:
        """Octets that nobody has taken."""
        return self._free

    def take(self, octets: int) -> bool:
        """Take octets if there are as many; nothing is taken where it gives false."""
        if octets > self._free:
            return False
        self._free -= octets
        return True

    def give(self, octets: int) -> None:
        """Give octets back."""
        self._free += octets


class Share:
    """What one mail has taken of a budget: as much as it holds in memory, at most `most`."""

    def __init__(self, budget: ByteBudget, most: int) -> None:
        self._budget = budget
        self._most = most
        self._taken = 0

    def grow(self, received: int) -> bool:
        """Take what a mail of so many octets needs by now; false where the budget does not have it."""
        wanted = min(received, self._most) - self._taken
        if wanted <= 0:
            return True
        if not self._budget.take(wanted):
            return False
        self._taken += wanted
        return True

    def close(self) -> None:
        """Give everything back."""
        self._budget.give(self._taken)
        self._taken = 0
