import re
import string
from pathlib import Path

import pytest

from relay.rules import address
from relay.rules.refusal_texts import ADDRESS_FAULTS, Part, Refused, Sentence

ALL = [*((kind.name, kind.words) for kind in Refused), *((part.name, part.value) for part in Part)]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_kind_has_its_words() -> None:
    assert all(kind.words.english and kind.words.german for kind in Refused)


def test_codes_fit_each_other() -> None:
    for kind in Refused:
        assert str(kind.code)[0] == kind.enhanced[0] in "45", kind


@pytest.mark.parametrize(("kind", "words"), ALL, ids=[kind for kind, _ in ALL])
def test_both_languages_are_one_clean_sentence_about_the_same(kind: object, words: Sentence) -> None:
    for text in words:
        assert text.isprintable(), kind
        assert text == " ".join(text.split())
        assert not text.endswith(".")
    # German says "als Absender" where English names the fields.
    assert placeholders(words.german) | {"where", "fields"} >= placeholders(words.english)
    assert placeholders(words.german) <= placeholders(words.english)


def test_every_part_has_its_words() -> None:
    assert all(part.value.english and part.value.german for part in Part)


def test_each_fault_of_an_address_has_its_german() -> None:
    said = re.findall(r'ValueError\("([^"]+)"\)', Path(address.__file__).read_text(encoding="utf-8"))
    assert said
    assert set(said) <= set(ADDRESS_FAULTS)
