from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from relay.model.address import Address
from relay.model.envelope import DsnOptions, Envelope
from relay.model.mail import RecipientKind
from relay.rules.address import parse_addr_spec
from relay.rules.turns import user_of
from relay.submission.splitting import source_of, split_recipients
from tests.peers.office import CLIENT

addresses = st.integers(0, 30).map(lambda n: parse_addr_spec(f"n{n}@example.net"))


@given(
    to=st.lists(addresses, min_size=1, max_size=31, unique=True),
    archive=st.lists(addresses, unique=True, max_size=2),
    most=st.integers(1, 12),
    apart=st.booleans(),
)
def test_everyone_is_in_exactly_one_transaction(
    to: list[Address], archive: list[Address], most: int, apart: bool
) -> None:
    envelope = Envelope(reverse_path=None, recipients=tuple(to))
    groups = split_recipients(envelope, archive, most=most, archive_apart=apart)
    found = [r for _, group in groups for r in group]
    assert [r.n for r in found] == list(range(len(found)))
    assert [r.address for r in found if r.kind is RecipientKind.TO] == [a.wire for a in to]
    assert [r.address for r in found[len(found) - len(archive) :]] == [a.wire for a in archive]
    assert all(0 < len(group) <= most for _, group in groups)
    for version, group in groups:
        kinds = {r.kind for r in group}
        assert version == (1 if apart and kinds == {RecipientKind.ARCHIVE} else 0)
        assert not apart or len(kinds) == 1


def test_each_recipient_keeps_what_was_asked_for_it() -> None:
    dsn_options = (DsnOptions(notify="NEVER"), DsnOptions(), DsnOptions(orcpt="rfc822;c@example.net"))
    envelope = Envelope(
        reverse_path=None,
        recipients=tuple(parse_addr_spec(f"{name}@example.net") for name in "abc"),
        dsn_options=dsn_options,
    )
    groups = split_recipients(envelope, (), most=2, archive_apart=False)
    found = [r for _, group in groups for r in group]
    assert [(r.notify, r.orcpt) for r in found] == [(wish.notify, wish.orcpt) for wish in dsn_options]


def test_a_single_mail_is_another_source_than_a_mailing() -> None:
    mailing = source_of(CLIENT, user="anna", sender="sales@example.com", subject="Our spring offers")
    assert mailing == source_of(CLIENT, user="anna", sender="sales@example.com", subject="Our spring offers")
    assert mailing != source_of(CLIENT, user="anna", sender="sales@example.com", subject="Tomorrow")
    assert mailing != source_of(
        replace(CLIENT, helo="crm"), user="anna", sender="sales@example.com", subject="Our spring offers"
    )
    assert mailing != source_of(CLIENT, user="ben", sender="sales@example.com", subject="Our spring offers")


@given(st.from_regex(r"[a-z0-9._-]{0,9}", fullmatch=True), st.text(), st.text())
def test_a_source_begins_with_who_it_is(user: str, sender: str, subject: str) -> None:
    assert user_of(source_of(CLIENT, user=user, sender=sender, subject=subject)) == (user or str(CLIENT.ip))
