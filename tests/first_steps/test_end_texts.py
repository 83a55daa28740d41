import re

from relay.first_steps import end_texts
from relay.presets.preset import Words


def test_what_comes_next_is_a_command_and_the_same_one_in_both_languages() -> None:
    following = [value for name, value in vars(end_texts).items() if name.startswith("NEXT_")]
    assert following
    for words in following:
        assert isinstance(words, Words)
        english, german = (re.findall(r"relay [a-z][a-z -]*|systemctl [a-z ]+", text) for text in words)
        assert english
        assert english == german
