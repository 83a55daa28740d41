import string

import pytest

from relay.rules.refusal_parts import PARTS, Words
from relay.rules.refusal_texts import REFUSALS, Refused

ALL = [(kind, refusing.words) for kind, refusing in REFUSALS.items()] + [*PARTS.items()]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_kind_has_its_words() -> None:
    assert set(REFUSALS) == set(Refused)


def test_codes_fit_each_other() -> None:
    for kind, refusing in REFUSALS.items():
        assert str(refusing.code)[0] == refusing.enhanced[0] in "45", kind


@pytest.mark.parametrize(("kind", "words"), ALL, ids=[kind for kind, _ in ALL])
def test_both_languages_are_one_clean_sentence_about_the_same(kind: object, words: Words) -> None:
    for text in words:
        assert text.isprintable(), kind
        assert text == " ".join(text.split())
        assert not text.endswith(".")
    # German says "als Absender" where English names the fields.
    assert placeholders(words.german) | {"where", "fields"} >= placeholders(words.english)
    assert placeholders(words.german) <= placeholders(words.english)
