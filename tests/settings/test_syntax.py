"""What is not TOML is told by line, cause and cure; no value is shown, for it may be a password."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.settings.schema import LISTS
from relay.settings.syntax import LISTED, explain_fault

QUOTE = 'write the plain " before and behind the text'


def explain(text: str) -> str:
    with pytest.raises(tomllib.TOMLDecodeError) as error:
        tomllib.loads(text)
    return explain_fault(text, str(error.value))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nhost = „hunter2“\n", f'line 2: „ and “ are no quotes here: {QUOTE} (host = "...")'),
        ("host = “hunter2”\n", f'line 1: “ and ” are no quotes here: {QUOTE} (host = "...")'),
        ("host = \u00b4hunter2\u00b4\n", f'line 1: \u00b4 is no quote here: {QUOTE} (host = "...")'),
        ('bcc = [„a@b.example"]\n', f'line 1: „ is no quote here: {QUOTE} (bcc = "...")'),
        ('host = "hunter2\n', 'line 1: a text in quotes has no end: the quote behind it is missing (host = "...")'),
        (
            "x = 1\nhost = 'hunter2\n",
            'line 2: a text in quotes has no end: the quote behind it is missing (host = "...")',
        ),
        ('x = """a\n', 'line 1: a text in quotes has no end: the quote behind it is missing (x = "...")'),
        ("host = hunter2\n", 'line 1: a text must stand in quotes: host = "..."'),
        ("host = \n", 'line 1: behind host = stands no value (a text: host = "...", or a number, true or false)'),
        ("admin = Yes # x\n", "line 1: admin = true or admin = false, in lower case and without quotes"),
        ("interval = 5 min\n", 'line 1: more than a number stands there, and must be in quotes: interval = "..."'),
        ("host = 192.168.1.1\n", 'line 1: more than a number stands there, and must be in quotes: host = "..."'),
        ('host = "x",\n', 'line 1: no "," stands at the end of a line: take it away'),
        ('host = "x"; port = 1\n', 'line 1: no ";" stands at the end of a line: take it away'),
        (
            'host = "x" port = 1\n',
            "line 1: something stands behind the value: each key begins a line of its own, and a comment begins with #",
        ),
        ("host: 1\n", "line 1: between a key and its value must stand = (host = ...)"),
        ("x = 1\ny = 1\nx = 2\n", "line 3: x is there a second time in the same table: keep one of the two"),
        (
            "[account]\n[account]\n",
            "line 2: [account] is there a second time: there may be several of them, and each must be [[account]]",
        ),
        ("[server]\n[server]\n", "line 2: [server] is there a second time: put its lines below the first one"),
        ("[user]\n[[user]]\n", "line 2: user is written once [user] and once [[user]]: each of them must be [[user]]"),
        ("[[user]]\n[user]\n", "line 2: user is written once [user] and once [[user]]: each of them must be [[user]]"),
        (
            "[[account]]\n[account.smtp]\n[account.smtp]\n",
            (
                "line 3: [account.smtp] is there a second time for the same account: the line [[account]], which "
                "begins another one, is missing before it, or both belong together"
            ),
        ),
        ("[server\nx = 1\n", "line 1: a header must be closed as it is opened: [server]"),
        ("[[user]\nx = 1\n", "line 1: a header must be closed as it is opened: [[user]]"),
        (
            "networks = [1\nx = 2\n",
            'line 2: a list that begins here or before has no end: a "]" is missing, or a comma (["...", "..."])',
        ),
        (
            'folder = "C:\\data"\n',
            "line 1: a \\ within \" \" must be written \\\\, or put the text between ' ' (folder = 'C:\\mail')",
        ),
        (
            'folder = "C:\\Users"\n',
            "line 1: a \\ within \" \" must be written \\\\, or put the text between ' ' (folder = 'C:\\mail')",
        ),
        (
            "\u00a0host = 1\n",
            (
                "line 1: holds a blank of a web page or a word processor that is none here: type the "
                "blanks of this line anew"
            ),
        ),
        (
            "// x\n",
            (
                "line 1: begins with a sign that no line can begin with; a comment begins with #, a key looks so: "
                'name = "anna"'
            ),
        ),
    ],
)
def test_each_fault_is_told_in_words(text: str, said: str) -> None:
    assert explain(text) == said
    assert "hunter2" not in said


pieces = st.sampled_from(
    ["[", "]", "[[", "]]", "=", '"', "'", "\n", "\\", "#", "user", "account.smtp", "1", ",", " ", "„", "“", "\u00a0"]
)


@given(st.lists(pieces, max_size=30).map("".join))
def test_any_text_is_toml_or_is_explained_in_one_line(text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = explain_fault(text, str(error))
        assert said.startswith("line ")
        assert "\n" not in said


def test_the_tables_that_are_lists_are_known() -> None:
    assert {(name,) for name in LISTED} == LISTS
