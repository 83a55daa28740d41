import re

import pytest

from relay.model.reply import Reply
from relay.rules.state_words import say_cause, say_grade, say_situation, say_standing
from relay.rules.states import Grade, Situation, Standing, State


@pytest.mark.parametrize("language", ["de", "en"])
def test_there_are_words_for_everything(language: str) -> None:
    told = [say_situation(situation, language, "11:05") for situation in Situation]
    assert all(told)
    assert len({*told}) == len(told)
    assert all(say_grade(grade, language) for grade in Grade)


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
    assert say_cause(Reply(code=451, text="odd"), "en") == "451 odd"
