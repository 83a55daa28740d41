"""What became of every mail of the crash proof: the clients' side and the provider's, compared."""

import collections
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.load import address_of
from tests.peers.provider import Provider
from tests.peers.relay_process import RelayProcess

ARCHIVE = "central@example.com"


@dataclass(kw_only=True)
class Report:
    """What became of everything."""

    kills: collections.Counter[str] = field(default_factory=collections.Counter)
    """By where the process died."""
    faults: collections.Counter[str] = field(default_factory=collections.Counter)
    """Those that ended no process."""
    rests: dict[str, float] = field(default_factory=dict)
    """Behind which fault, without a restart, nothing went on for so many seconds at most, until all was done."""
    accepted: int = 0
    delivered: int = 0
    bounced: int = 0
    lost: list[str] = field(default_factory=list)
    copies_lost: list[str] = field(default_factory=list)
    twice: int = 0
    """Mails that arrived more than once."""
    unnamed: list[str] = field(default_factory=list)
    """Those of them that no `possible_duplicate` names, neither in the log nor in their history."""
    unlogged: int = 0
    """Those that their history alone names."""
    deferred: int = 0
    """Attempts that were put off."""
    held: int = 0
    silent: list[str] = field(default_factory=list)
    """Mails that are held for a doubt, and nobody was told."""

    def compare(
        self,
        accepted: Mapping[int, str],
        provider: Provider,
        inbox: Path,
        nodes: Sequence[RelayProcess],
        doubted: Collection[str],
    ) -> None:
        """Compare what was accepted with what arrived, and with what bounced; `doubted` are named by their history."""
        notices = [path.read_bytes() for path in inbox.iterdir()]
        failed = rb"Final-Recipient: rfc822; (\S+)\r?\nAction: failed"
        bounced = {found.decode() for notice in notices for found in re.findall(failed, notice)}
        delivered = {address for mail in provider.mails for address in mail.recipients}
        archived = {
            found[1].decode()
            for mail in provider.mails
            if ARCHIVE in mail.recipients and (found := re.search(rb"Message-ID: <(\d+)@test", mail.data))
        }
        named = {line["queue_id"] for node in nodes for line in node.find("possible_duplicate")}
        arrivals: collections.Counter[tuple[str, str]] = collections.Counter()
        for mail in provider.mails:
            found = re.search(rb"\bid (\w+)", mail.data)
            if found:
                arrivals.update((found[1].decode(), address) for address in mail.recipients)
        twice = {queue_id for (queue_id, _), count in arrivals.items() if count > 1}
        self.accepted = len(accepted)
        self.delivered = sum(address_of(number) in delivered for number in accepted)
        self.bounced = sum(address_of(number) in bounced for number in accepted)
        self.lost = [address_of(n) for n in accepted if address_of(n) not in delivered | bounced]
        self.copies_lost = [str(n) for n in accepted if str(n) not in archived]
        self.deferred = sum(len(node.find("delivery_deferred")) for node in nodes)
        self.twice, self.unnamed = len(twice), sorted((twice - named).difference(doubted))
        self.unlogged = len(twice.intersection(doubted) - named)

    @property
    def is_bad(self) -> bool:
        """Whether anything is lost, or twice without a name, or held in silence."""
        return bool(self.lost or self.copies_lost or self.unnamed or self.silent)

    def __str__(self) -> str:
        """Say it in a few lines."""
        places = "\n".join(f"  {count:4} {place}" for place, count in sorted(self.kills.items()))
        faults = "".join(
            f"  {count:4} times {name}; nothing stood still for more than {self.rests.get(name, 0):.1f} s\n"
            for name, count in sorted(self.faults.items())
        )
        return (
            f"{sum(self.kills.values())} kills:\n{places}\n"
            f"{sum(self.faults.values())} faults that ended no process:\n{faults}"
            f"{self.accepted} accepted = {self.delivered} delivered + {self.bounced} bounced; {len(self.lost)} lost,"
            f" {len(self.copies_lost)} archive copies lost;"
            f" {self.twice} arrived twice, {len(self.unnamed)} of them not named as possible,"
            f" {self.unlogged} by their history alone, since a kill or a fault came before the log;"
            f" {self.deferred} attempts put off; {self.held} held for a doubt, {len(self.silent)} of them in silence"
        )
