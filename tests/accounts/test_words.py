import string

import pytest

from relay.accounts import words
from relay.presets.preset import Words
from tests.peers.relay_process import ROOT

TABLE = {name: value for name, value in vars(words).items() if isinstance(value, Words)}


@pytest.mark.parametrize("name", TABLE)
def test_each_text_says_the_same_in_both_languages_and_is_used(name: str) -> None:
    english, german = ({field for _, field, _, _ in string.Formatter().parse(text) if field} for text in TABLE[name])
    assert english == german
    assert all(text.strip() for text in TABLE[name])
    sources = [*(ROOT / "relay" / "accounts").glob("*.py"), ROOT / "relay" / "admin" / "authorizing.py"]
    assert any(f"words.{name}" in file.read_text() for file in sources)
