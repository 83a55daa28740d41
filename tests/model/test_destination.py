import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.destination import Destination, DestinationKind, to_account, to_inbox


@given(st.sampled_from(DestinationKind), st.text())
def test_what_is_written_is_read_again(kind: DestinationKind, name: str) -> None:
    destination = Destination(kind, name)
    assert Destination.parse(str(destination)) == destination


@pytest.mark.parametrize("name", ["sales", "a:b", "inbox:anna", " x ", ":", ""])
def test_a_name_may_hold_colons_and_blanks(name: str) -> None:
    assert Destination.parse(f"account:{name}") == to_account(name)
    assert Destination.parse(f"inbox:{name}") == to_inbox(name)


@pytest.mark.parametrize("text", ["", "sales", "Account:sales", "fax:sales", ":sales"])
def test_what_is_no_destination_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        Destination.parse(text)


def test_only_an_account_has_an_account() -> None:
    assert (to_account("sales").account, to_inbox("anna").account) == ("sales", "")
    assert (to_account("sales").is_account, to_inbox("anna").is_account) == (True, False)


def test_only_into_an_inbox_another_try_adds_nothing() -> None:
    assert [kind for kind in DestinationKind if Destination(kind, "x").is_idempotent] == [DestinationKind.INBOX]
