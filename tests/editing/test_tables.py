import difflib
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.editing import EditError
from relay.editing.tables import add_table, change_table, list_names, list_tables, read_table, remove_table
from tests.peers.relay_process import ROOT

EXAMPLE = (ROOT / "config" / "relay.example.toml").read_text()
START = (ROOT / "config" / "relay.start.toml").read_text()
ACCOUNT = {"name": "new", "address": "new@example.com", "owner": "anna", "smtp": {"host": "smtp.example", "port": 465}}
WRITTEN = """[[account]]
name = "new"
address = "new@example.com"
owner = "anna"
[account.smtp]
host = "smtp.example"
port = 465
"""


def changed_lines(before: str, after: str) -> list[str]:
    """Give the lines that differ, as `diff` shows them."""
    old, new = before.splitlines(), after.splitlines()
    found = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            found += [f"-{line}" for line in old[a:b]] + [f"+{line}" for line in new[c:d]]
    return found


def test_a_new_account_stands_behind_the_last_one_and_nothing_else_changes() -> None:
    text = add_table(EXAMPLE, "account", ACCOUNT)
    assert sorted(changed_lines(EXAMPLE, text)) == sorted(f"+{line}" for line in ("", *WRITTEN.splitlines()))
    assert f'password = "change-me"\n\n{WRITTEN}\n# An account that logs in by OAuth 2' in text
    assert list_names(text, "account") == ["sales", "bert", "new"]
    assert remove_table(text, "account", "new") == EXAMPLE


def test_the_first_account_stands_behind_the_note_that_shows_one() -> None:
    text = add_table(START, "account", ACCOUNT)
    assert f"false: it is deleted there\n\n{WRITTEN}\n# Without" in text
    assert remove_table(text, "account", "new") == START


def test_with_an_account_goes_the_comment_that_speaks_of_it_but_not_that_of_the_next() -> None:
    text = (
        '# all of them:\n[[account]]\nname = "a"\n\n# b is the old one\n[[account]]\nname = "b"\n[account.smtp]\n'
        'host = "x"\n# port = 1\n\n\n# c is new\n[[account]]\nname = "c"\n'
    )
    assert remove_table(text, "account", "b") == (
        '# all of them:\n[[account]]\nname = "a"\n\n\n# c is new\n[[account]]\nname = "c"\n'
    )
    assert remove_table(text, "account", "a").startswith("# all of them:\n\n# b is the old one\n[[account]]")
    assert remove_table(text, "account", "c").endswith("# port = 1\n")


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ('[[account]]\nname = "a"\n', ("owner",), "bert", '[[account]]\nname = "a"\nowner = "bert"\n'),
        (
            "[[account]]\r\nname = 'a'\r\nowner  =  'anna'   # she\r\n\r\n# end",
            ("owner",),
            "bert",
            "[[account]]\r\nname = 'a'\r\nowner  =  'bert'   # she\r\n\r\n# end",
        ),
        (
            '[[account]]\n  name = "a"\n  # note\n\n[account.smtp]\n  host = "x"\n',
            ("smtp", "port"),
            25,
            '[[account]]\n  name = "a"\n  # note\n\n[account.smtp]\n  host = "x"\n  port = 25\n',
        ),
        (
            '[[account]]\nname = "a"\nsmtp = { host = "x" }\n[log]\n',
            ("smtp", "host"),
            "y",
            '[[account]]\nname = "a"\nsmtp = { host = "y" }\n[log]\n',
        ),
        (
            '[[account]]\nname = "a"\nsmtp.host = "x"\n',
            ("smtp", "host"),
            "y",
            '[[account]]\nname = "a"\nsmtp.host = "y"\n',
        ),
        (
            '[[account]]\nname = "a"\n\n[log]\nlevel = "info"\n',
            ("smtp", "host"),
            "y",
            '[[account]]\nname = "a"\n[account.smtp]\nhost = "y"\n\n[log]\nlevel = "info"\n',
        ),
        ('[[account]]\nname = "a"\nowner = "b" # x\nz = 1', ("owner",), None, '[[account]]\nname = "a"\nz = 1'),
        ('[[account]]\nname = "a"\n\n[account.smtp]\nhost = "b"\n', ("smtp",), None, '[[account]]\nname = "a"\n'),
        ('[[account]]\nname = "a"\nsmtp = {host = "b"}\n', ("smtp",), None, '[[account]]\nname = "a"\n'),
        (
            '[[account]]\nname = "a"\n[log]\n[account.smtp]\nhost = "x"\n',
            ("smtp", "host"),
            "y",
            '[[account]]\nname = "a"\n[log]\n[account.smtp]\nhost = "y"\n',
        ),
        (
            '[[account]]\nname = "a"\nusers = [\n  "x", # one\n  ["[a]"],\n]\nb = """\n[c]\n# """\n',
            ("b",),
            "z",
            '[[account]]\nname = "a"\nusers = [\n  "x", # one\n  ["[a]"],\n]\nb = "z"\n',
        ),
    ],
)
def test_a_key_is_changed_where_it_stands(before: str, path: tuple[str, ...], value: object, after: str) -> None:
    assert change_table(before, "account", "a", {path: value}) == after


def test_what_is_so_already_is_left_alone() -> None:
    text = '[[account]]\nname = "a"\nport = 0x10 # hex\n'
    assert change_table(text, "account", "a", {("port",): 16}) == text
    assert change_table('[[account]]\nname = "a"\nx = true\n', "account", "a", {("x",): 1}).endswith("x = 1\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('account = [{ name = "a" }]\n', r"account: each must have a header \[\[account\]\]"),
        ('[[account]]\nname = "a"\n[[account]]\nname = "a"\n', "there are 2 of the name 'a'"),
        ('[[account]]\nname = "ab"\n', "there is no account 'a'; did you mean 'ab'"),
        ("[account]\n", "there is no account 'a'; there are: none"),
    ],
)
def test_what_can_not_be_edited_is_refused(text: str, said: str) -> None:
    with pytest.raises(EditError, match=said):
        change_table(text, "account", "a", {("owner",): "b"})


def test_a_key_that_is_not_there_can_not_be_removed() -> None:
    for path in (("owner",), ("smtp", "host"), ("name", "x")):
        with pytest.raises(EditError, match="account\\." + "\\.".join(path) + ": it is not there"):
            change_table('[[account]]\nname = "a"\n', "account", "a", {path: None})


def test_a_table_is_read() -> None:
    assert [one["name"] for one in list_tables("\ufeff" + EXAMPLE, "account")] == list_names(EXAMPLE, "account")
    assert list_tables("account = 1", "account") == []
    assert read_table(EXAMPLE, "account", "bert")["smtp"]["username"] == "bert@example.com"
    for text in ("", "account = 1", "[[account]]", "account = []"):
        with pytest.raises(EditError, match="there is no account 'bert'; there are: none"):
            read_table(text, "account", "bert")


def test_of_200_accounts_with_comments_only_the_lines_in_question_change() -> None:
    one = (
        '# Room {n}: call before\n[[account]]  # {n}\nname = "a{n}"\nowner = "anna"   # hers\n\n'
        '[account.smtp]\nhost = "x"\n# port = 25\n\n'
    )
    text = "# The office\n\n" + "".join(one.format(n=n) for n in range(200)) + '# The end\n[log]\nlevel = "info"\n'
    added = changed_lines(text, add_table(text, "account", ACCOUNT))
    assert sorted(added) == sorted(f"+{line}" for line in ("", *WRITTEN.splitlines()))
    edited = change_table(text, "account", "a77", {("owner",): "bert", ("smtp", "port"): 465})
    numbered = text.splitlines()
    at = numbered.index('name = "a77"') + 1
    assert numbered[at] == 'owner = "anna"   # hers'
    assert changed_lines(text, edited) == ['-owner = "anna"   # hers', '+owner = "bert"   # hers', "+port = 465"]
    assert edited.splitlines()[at] == 'owner = "bert"   # hers'
    gone = remove_table(text, "account", "a77")
    assert sorted(changed_lines(text, gone)) == sorted(f"-{line}" for line in one.format(n=77).splitlines())


# A configuration as people write them: any order, blanks, comments, quotes, line ends.
_WORDS = st.text(alphabet="abcäß [#]=", max_size=8)
_COMMENTS = st.builds("# {}".format, _WORDS)
_VALUES = st.one_of(
    st.builds('"{}"'.format, _WORDS),
    st.builds("'{}'".format, _WORDS),
    st.sampled_from(["1", "0x1f", "true", "2027-06-30", '["a", "b"]', '[\n  "[a]", # one\n\n  "b",\n]']),
    st.sampled_from(['"""\n[[account]]\n# x"""', "'''\n# [a]\n'''", '{ a = 1, b = "#" }', "[]", "[[1], [2]]"]),
)
_NOTES = st.lists(st.one_of(st.just(""), _COMMENTS, st.just("  ")), max_size=3)
_KEYS = st.sampled_from(["=", " = ", "   =  "])


@st.composite
def _bodies(draw: st.DrawFn, keys: tuple[str, ...]) -> list[str]:
    lines = []
    for key in draw(st.permutations(keys))[: draw(st.integers(0, len(keys)))]:
        end = draw(st.sampled_from(["", " # why", "  "]))
        lines += [*draw(_NOTES), f"{draw(st.sampled_from(['', '  ']))}{key}{draw(_KEYS)}{draw(_VALUES)}{end}"]
    return [*lines, *draw(_NOTES)]


@st.composite
def _configurations(draw: st.DrawFn) -> str:
    lines = draw(_bodies(("language", "x")))
    for n in range(draw(st.integers(0, 3))):
        lines += draw(st.sampled_from([["[log]"], ["[ server ] # s"], ['["a.b"]']])) if n == 0 else []
        lines += [*draw(_bodies(("q", "w")))] if n == 0 else []
        quote = draw(st.sampled_from("\"'"))
        header = draw(st.sampled_from(["[[account]]", "  [[ account ]]  # x", '[["account"]]']))
        lines += [header, f"name={quote}a{n}{quote}", *draw(_bodies(("owner", "b", "smtp.host")))]
        if draw(st.booleans()):
            lines += ["[account.pop3]", *draw(_bodies(("host", "port")))]
        if draw(st.booleans()):
            lines += ["[[user]]", *draw(_bodies(("name", "address")))]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = "\n".join(lines).replace("\n", end) + draw(st.sampled_from(["", end]))
    return draw(st.sampled_from(["", "\ufeff"])) + text


@given(_configurations(), st.sampled_from(["account", "user", "device"]))
def test_a_table_that_is_added_and_removed_leaves_the_same_bytes(text: str, kind: str) -> None:
    added = add_table(text, kind, ACCOUNT)
    assert tomllib.loads(added.removeprefix("\ufeff"))[kind][-1] == ACCOUNT
    assert remove_table(added, kind, "new") == text


@given(_configurations(), st.sampled_from(["a0", "a1"]), st.sampled_from([("owner",), ("pop3", "new"), ("new",)]))
def test_a_key_that_is_changed_and_changed_back_leaves_the_same_bytes(
    text: str, name: str, path: tuple[str, ...]
) -> None:
    if name not in list_names(text, "account"):
        return
    table = read_table(text, "account", name)
    before: Any = (table if len(path) == 1 else table.get(path[0], {})).get(path[-1])
    if before is not None and not (isinstance(before, str) and before.isprintable()):
        return  # how a number, a list or a long text was written is not known any more
    edited = change_table(text, "account", name, {path: "other"})
    found = read_table(edited, "account", name)
    assert (found[path[0]] if len(path) == 1 else found[path[0]][path[1]]) == "other"
    if path[0] == "pop3" and "pop3" not in read_table(text, "account", name):
        path = ("pop3",)
    assert change_table(edited, "account", name, {path: before}) == text
