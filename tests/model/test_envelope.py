from hypothesis import given
from hypothesis import strategies as st

from relay.model.address import Address
from relay.model.envelope import DsnOptions, Envelope
from relay.rules.address import parse_addr_spec

SPELLINGS = [
    "a@example.net",
    "A@EXAMPLE.net",
    '"a"@example.NET',
    "b@bücher.example",
    "B@xn--bcher-kva.example",
    "c@x.de",
]
spelled = st.lists(st.sampled_from(SPELLINGS).map(parse_addr_spec), max_size=12)


@given(spelled, st.booleans())
def test_of_equal_recipients_the_first_counts_with_what_was_asked_for_it(to: list[Address], asked: bool) -> None:
    dsn_options = tuple(DsnOptions(orcpt=f"rfc822;{n}") for n in range(len(to))) if asked else ()
    envelope = Envelope(reverse_path=None, recipients=tuple(to), dsn_options=dsn_options)
    one = envelope.distinct()
    keys = [address.key for address in envelope.recipients]
    assert [address.key for address in one.recipients] == list(dict.fromkeys(keys))
    first = [keys.index(address.key) for address in one.recipients]
    assert one.recipients == tuple(envelope.recipients[n] for n in first)
    assert one.dsn_options == tuple(dsn_options[n] for n in first if asked)
    assert one.distinct() is one
