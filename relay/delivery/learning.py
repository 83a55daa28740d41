"""What an attempt learnt of the other side, told to the lane and said in the log."""

from relay.delivery.lanes import Lane
from relay.emitting import emit
from relay.events.accounts import AccountNarrowed, AccountSlowed, AccountUnreachable, ProviderAsksForLess
from relay.transports.transport import Terms, TransportResult


def tell_lane(lane: Lane, terms: Terms, result: TransportResult, now: float) -> bool:
    """Tell a lane what was learnt, at a monotonic time; returns whether more of it may go."""
    learnt, reply, account = result.learnt, result.reply, lane.destination.name
    lane.start_mail(now, result.transactions - 1)  # the first was counted when it began
    if learnt.connected:
        lane.connected(terms, learnt.max_size)
    if learnt.answers:
        lane.answered()
    elif learnt.unreachable and lane.unreachable(reply, connected=learnt.connected):
        emit(AccountUnreachable(account=account, code=reply.code, reply=str(reply)))
    if learnt.login_refused:
        return False
    if learnt.connections is not None:
        lane.narrowed(learnt.connections, now)
        emit(AccountNarrowed(account=account, connections=learnt.connections, code=reply.code, reply=str(reply)))
        return False
    if learnt.throttles:
        emit(ProviderAsksForLess(account=account, code=reply.code, reply=str(reply)))
        emit(AccountSlowed(account=account, seconds=lane.throttled(now)))
        return False
    if learnt.unreachable and lane.is_current(terms):
        lane.failed(now)
        return False
    if learnt.unreachable:
        lane.renewed = True  # the settings were corrected meanwhile: it goes at once by those
    elif reply.is_positive:
        lane.delivered()
    return True
