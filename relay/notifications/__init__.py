"""People are told: of mail that was not delivered, that waits or is held, and of what needs the postmaster.

A notice is a mail of ours in the same queue, as durable as any other. `Policy` decides who is told what, `Composer`
makes the mail, `Outbox` sends the alerts that are owed, and `Rerouter` finds blocked notices another way. What has
something new to send is returned: the caller wakes it.
"""

from collections.abc import Callable

from relay.notifications.compose import Composer
from relay.notifications.outbox import Outbox
from relay.notifications.policy import Policy
from relay.notifications.reroute import Rerouter
from relay.runtime import Runtime


class Notifications:
    """The parts of this room, which know each other."""

    def __init__(self, runtime: Runtime, *, is_paused: Callable[[str], bool], works: Callable[[str], bool]) -> None:
        """`works` returns whether an account's server takes mail, as far as is known."""
        self.composer = Composer(runtime, is_paused=is_paused, works=works)
        self.policy = Policy(runtime, self.composer)
        self.rerouter = Rerouter(runtime, composer=self.composer)
        self.outbox = Outbox(runtime, policy=self.policy, rerouter=self.rerouter, is_paused=is_paused)
