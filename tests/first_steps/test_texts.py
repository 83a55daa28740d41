import re
import string
from typing import Final

import pytest

from relay.cli.interview import Interview, fill_in
from relay.first_steps import end_texts, notes, texts
from relay.presets.preset import Words
from tests.peers.relay_process import ROOT

TABLE = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in (texts, end_texts, notes)
    for name, value in vars(module).items()
    if isinstance(value, Words)
}
SAME: Final = frozenset({"texts.LANGUAGE", "texts.SERVER"})
"""Texts of which the two languages may have all words in common, or nearly all."""
_ENGLISH: Final = re.compile(r"\b(?:the|is|are|your|with|please|password|which|shall|address|after)\b", re.IGNORECASE)


def fields(text: str) -> set[str]:
    """Return what is to be filled in."""
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


@pytest.mark.parametrize("name", TABLE)
def test_each_text_says_the_same_in_both_languages_and_is_used(name: str) -> None:
    english, german = map(fields, TABLE[name])
    assert english == german
    assert all(text.strip() for text in TABLE[name])
    sources = [*(ROOT / "relay" / "first_steps").glob("*.py"), *(ROOT / "relay" / "cli").glob("*.py")]
    assert any(re.search(rf"\b{name}\b", file.read_text()) for file in sources)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("name", TABLE)
def test_each_text_is_whole_once_it_is_filled_in(name: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    values = {field: f"<{field}>" for field in fields(TABLE[name].en)}
    for lines in zip(*(text.split("\n") for text in TABLE[name]), strict=True):
        Interview(language, terminal=True).tell(fill_in(Words(*lines), **values))
    shown = capsys.readouterr().out.rstrip("\n")
    assert shown == TABLE[name].by(language).format(**values).rstrip("\n")
    assert all(value in shown for value in values.values())
    assert not set("{}") & set(shown)
    assert shown[0] != " " or name in SAME
    if language == "de" and name not in SAME:
        words = re.sub(r"`[^`]*`|<[^>]*>|relay [a-z -]+|README: [A-Za-z ]+|: (?:[a-z0-9]+, )*", " ", shown)
        assert _ENGLISH.search(words) is None, words
        assert shown != TABLE[name].en.format(**values) or len(shown) < 10
