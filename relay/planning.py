"""What becomes of a mail, by its header and envelope alone: refused, or sent by an account, with the blind copy.

Pure. The service and `relay explain` ask it, so that they answer alike.
"""

from dataclasses import dataclass

from relay.bcc_archive import ArchivePlan, plan_archive
from relay.model.account import Account, ArchivePolicy, Directory
from relay.model.envelope import Client, Envelope
from relay.model.route import Refusal, RoutePlan
from relay.routing import check_loop, plan_route


@dataclass(frozen=True, kw_only=True, slots=True)
class MailPlan:
    """How a mail is sent."""

    route: RoutePlan
    account: Account
    archive: ArchivePlan


def plan_mail(
    *, directory: Directory, archive: ArchivePolicy, hostname: str, client: Client, envelope: Envelope, header: bytes
) -> MailPlan | Refusal:
    """Plan a mail. `header` is the raw block, each line with CRLF, without the blank line; `hostname` our own name."""
    loop = check_loop(header, hostname)
    if loop is not None:
        return loop
    route = plan_route(directory=directory, client=client, envelope=envelope, header=header)
    if isinstance(route, Refusal):
        return route
    account = directory.account(route.account)
    assert account is not None
    return MailPlan(
        route=route,
        account=account,
        archive=plan_archive(
            policy=archive, account=account, reverse_path=route.reverse_path, recipients=envelope.recipients
        ),
    )
