from relay.model.destination import to_account
from relay.model.errors import StorageError
from relay.model.mail import ClaimedDelivery, Message, Recipient
from relay.model.reply import Outcome, Reply, Verdict
from relay.transports.transport import Progress, TransportResult, failed

GOT = Outcome(verdict=Verdict.DELIVERED, reply=Reply(code=250))
LATER = Outcome(verdict=Verdict.DEFERRED, reply=Reply(code=451))
MESSAGE = Message(
    id="m", received_at=0, user=None, account="sales", rule="1a", reverse_path="", header_message_id="", subject="",
    size=1, client="", header=b"",
)  # fmt: skip
DELIVERY = ClaimedDelivery(
    id="d", destination=to_account("sales"), version=0, attempts=0, uncertain=0, since=0, message=MESSAGE,
    recipients=(Recipient(n=0, address="a@x.example"), Recipient(n=3, address="b@x.example")),
)  # fmt: skip


def test_a_fault_of_ours_is_a_doubt_only_where_the_mail_may_have_arrived() -> None:
    error = ValueError("a bug")
    before, after = (failed(DELIVERY, Progress(may_have_arrived=arrived), error) for arrived in (False, True))
    assert {outcome.verdict for outcome in before.outcomes.values()} == {Verdict.DEFERRED}
    assert before.doubtful == frozenset()
    assert set(after.outcomes) == after.doubtful == {0, 3}


def test_what_the_database_refuses_is_told_without_its_words_for_a_notice_may_quote_them() -> None:
    refused = failed(DELIVERY, Progress(), StorageError("/srv/relay/relay.db: database is locked"))
    text = "the database of the relay refused; its log says more"
    assert refused.reply == Reply(code=0, enhanced="4.3.0", text=text)
    ours = failed(DELIVERY, Progress(), ValueError("a bug"))
    assert ours.reply.text == "a fault inside of the relay; its log says more"


def test_how_many_got_it() -> None:
    assert TransportResult(outcomes={0: GOT, 1: LATER, 2: GOT}, reply=GOT.reply).delivered == 2
