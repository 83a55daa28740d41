from dataclasses import replace

from relay.model.ids import COPY_DIGITS
from relay.model.maildrop import Place
from tests.storage.conftest import new_copies


def test_who_has_a_copy_and_to_which_mail_it_belongs() -> None:
    anna, bert = new_copies("a", "anna", "bert")
    assert anna.mail == bert.mail == anna.id[:-COPY_DIGITS]
    assert (anna.holder, replace(anna, given_to="bert").holder) == ("anna", "bert")
    assert [replace(anna, place=place).holder for place in (Place.QUARANTINE, Place.DELETED)] == ["", ""]
