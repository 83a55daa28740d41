import string
from collections.abc import Iterator
from enum import StrEnum

import pytest

from relay.rules.answers.row import Advice
from relay.rules.notice_texts import TEXTS, Alert, Texts

ALLOWED = {"account", "login", "address", "command", "count", "queue_id", "subject"}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def words(texts: Texts) -> Iterator[tuple[str, str]]:
    for name in texts.defaults:
        value = getattr(texts, name)
        if isinstance(value, str):
            yield name, value
    for advice, hint in texts.advice.items():
        yield f"{advice}.cause", hint.cause
        yield f"{advice}.action", hint.action
    for alert, text in texts.alerts.items():
        yield f"{alert}.subject", text.subject
        yield f"{alert}.what", text.what
        yield f"{alert}.action", text.action


def test_there_are_two_languages() -> None:
    assert set(TEXTS) == {"de", "en"}


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize(("kind", "table"), [(Advice, "advice"), (Alert, "alerts")])
def test_every_kind_has_its_words(language: str, kind: type[StrEnum], table: str) -> None:
    assert set(getattr(TEXTS[language], table)) == set(kind)


@pytest.mark.parametrize("language", TEXTS)
def test_every_word_is_one_clean_line(language: str) -> None:
    for name, text in words(TEXTS[language]):
        assert text, name
        assert text.isprintable(), name
        assert text == " ".join(text.split()), name
        if name.endswith((".cause", ".what", "gave_up", "opening", "attached", "closing")):
            assert text.endswith("."), name


def test_both_languages_tell_the_same_facts() -> None:
    german, english = dict(words(TEXTS["de"])), dict(words(TEXTS["en"]))
    assert german.keys() == english.keys()
    for name, text in german.items():
        if name != "date":
            assert placeholders(text) == placeholders(english[name]), name


@pytest.mark.parametrize("language", TEXTS)
def test_alerts_use_only_known_facts(language: str) -> None:
    for text in TEXTS[language].alerts.values():
        assert placeholders(text.subject + text.what + text.action) <= ALLOWED
