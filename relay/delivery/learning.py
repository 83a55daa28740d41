"""What an attempt learnt of the other side, told to the lane and said in the log."""

from relay.delivery.lanes import Lane
from relay.emitting import emit
from relay.events.accounts import AccountNarrowed, AccountSlowed, AccountUnreachable, ProviderAsksForLess
from relay.transports.transport import Terms, TransportResult


def tell_lane(lane: Lane, terms: Terms, result: TransportResult, now: float) -> bool:
    """Tell a lane what was learnt, at a monotonic time; returns whether more of it may go."""
    learnt, reply = result.learnt, result.reply
    for _ in range(1, result.transactions):
        lane.start_mail(now)  # that is a mail more, for the rate
    if learnt.connected:
        lane.connected(terms, learnt.max_size)
    if learnt.answers:
        lane.answered()
    elif learnt.unreachable and lane.unreachable(reply, connected=learnt.connected):
        emit(AccountUnreachable(account=lane.destination.name, code=reply.code, reply=str(reply)))
    if learnt.login_refused:
        return False
    return _note_limits(lane, terms, result, now)


def _note_limits(lane: Lane, terms: Terms, result: TransportResult, now: float) -> bool:
    learnt, reply, account = result.learnt, result.reply, lane.destination.name
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
        lane.renew()  # the settings were corrected meanwhile: it goes at once by those
    elif reply.is_positive:
        lane.delivered()
    return True
