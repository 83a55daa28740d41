"""`python -m relay` and the `relay` command."""

import gc

from relay.cli import main as run

_NO_HURRY = 250_000
"""Containers that have come, less those that have gone, at which the collector of cycles looks through them.

More than a start makes: all of them stay, and to look through them in vain takes a tenth of its time. `relay serve`
sets another number soon after it has started.
"""


def main() -> None:
    """Run the command that the arguments name."""
    gc.set_threshold(_NO_HURRY)
    run()


if __name__ == "__main__":
    main()
