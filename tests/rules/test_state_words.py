import re

import pytest

from relay.model.reply import Reply
from relay.model.state import State
from relay.rules.state_words import say_cause, say_situation, say_standing
from relay.rules.states import Situation, Standing


@pytest.mark.parametrize("language", ["de", "en"])
def test_there_are_words_for_everything(language: str) -> None:
    told = [say_situation(situation, language, "11:05") for situation in Situation]
    assert all(told)
    assert len({*told}) == len(told)


@pytest.mark.parametrize("language", ["de", "en"])
def test_nothing_is_ever_said_to_be_delivered(language: str) -> None:
    told = " ".join(say_situation(situation, language) for situation in Situation).replace("not delivered", "")
    assert "delivered" not in told
    assert not re.search("(?<!nicht )(?<!nicht an alle )zugestellt", told)


def test_a_standing_is_told_with_its_time() -> None:
    standing = Standing(state=State.WAITING, situation=Situation.RETRY, when=1000)
    assert say_standing(standing, "en", lambda at: f"at {at}") == "waits, next try at 1000"
    assert say_standing(standing, "de", str) == "wartet, nächster Versuch 1000"
    done = Standing(state=State.DELIVERED, situation=Situation.DELIVERED)
    assert say_standing(done, "de", str) == "an den Anbieter übergeben"


def test_a_cause_is_told_in_a_laymans_words_or_the_providers() -> None:
    full = Reply(code=552, enhanced="5.2.2", text="over quota")
    assert say_cause(full, "en") == "The recipient's mailbox is full"
    assert say_cause(full, "de") == "Das Postfach des Empfängers ist voll"
    assert say_cause(Reply(code=554, text="odd"), "en") == "554 odd"


def test_what_may_pass_is_not_told_as_a_refusal() -> None:
    greylisted = Reply(code=451, enhanced="4.7.1", text="Greylisting in action")
    assert say_cause(greylisted, "en") == "The other side checks unknown senders first; this passes by itself"
    assert say_cause(greylisted, "de").startswith("Die Gegenseite prüft unbekannte Absender zuerst")
    policy = Reply(code=451, enhanced="4.7.1", text="odd")
    assert say_cause(policy, "en") == "The provider asks to try again later: 451 4.7.1 odd"
    assert say_cause(Reply(code=452, enhanced="4.2.2", text="over quota"), "en") == "The recipient's mailbox is full"
    assert "refused" in say_cause(Reply(code=550, enhanced="5.7.1", text="odd"), "en")


def test_an_inbox_of_ours_is_not_told_as_a_recipients_mailbox() -> None:
    link = Reply(code=0, enhanced="4.2.0", text="inbox /i/anna: it is a link, and mail is written through none")
    assert say_cause(link, "en") == "The inbox can't be used: /i/anna: it is a link, and mail is written through none"
    assert say_cause(link, "de") == "Der Posteingang kann nicht benutzt werden"
    theirs = Reply(code=450, enhanced="4.2.0", text="Mailbox locked")
    assert say_cause(theirs, "en") == "The recipient's mailbox takes no e-mail at present"


def test_what_was_given_up_is_told_as_that() -> None:
    full = Reply(code=452, enhanced="4.2.2", text="over quota")
    told = say_cause(full, "en", is_over=True)
    assert told == "Given up after several tries; the last one: The recipient's mailbox is full"
    assert say_cause(Reply(code=552, enhanced="5.2.2", text="full"), "en", is_over=True) == (
        "The recipient's mailbox is full"
    )
