import string

import pytest

from relay.first_steps import texts
from relay.presets.preset import Words
from tests.peers.relay_process import ROOT

TABLE = {name: value for name, value in vars(texts).items() if isinstance(value, Words)}


@pytest.mark.parametrize("name", TABLE)
def test_each_text_says_the_same_in_both_languages_and_is_used(name: str) -> None:
    english, german = ({field for _, field, _, _ in string.Formatter().parse(text) if field} for text in TABLE[name])
    assert english == german
    assert all(text.strip() for text in TABLE[name])
    sources = [*(ROOT / "relay" / "first_steps").glob("*.py"), *(ROOT / "relay" / "cli").glob("*.py")]
    assert any(f"texts.{name}" in file.read_text() for file in sources)
