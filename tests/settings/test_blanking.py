"""A configuration without its secrets, which is otherwise the same byte for byte."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.settings.blanking import blank_secrets, drop_blanks
from tests.peers.relay_process import to_toml

EXAMPLE = Path(__file__).parents[2] / "config" / "relay.example.toml"

WRITTEN = '''\ufeff# password = "hunter2" was the old one\r
[server]  # password_command = 'x'\r
hostname = "a#b"\r
[[account]]
name = "sales \\"password = 'x'\\""
smtp = { username = "u", password = "hunter2", "port" = 25 } # secret
pop3.password = """
hunter2 " # no comment "" """ # pop3
pop3."password_file" = 'sales.password'
[[account]]
name = "two"
smtp.password_command = [ "echo", # 'why'
  "hunter2", ] 'ex'
'''.replace("] 'ex'", "]")


def test_every_secret_goes_and_every_other_byte_stays() -> None:
    blanked = blank_secrets(WRITTEN.encode())
    assert blanked.content.decode() == (
        WRITTEN.replace('"hunter2" was', '"" was')
        .replace("password_command = 'x'", 'password_command = ""')
        .replace('password = "hunter2"', 'password = ""')
        .replace('"""\nhunter2 " # no comment "" """', '""')
        .replace('"echo", # \'why\'\n  "hunter2", ]', '"", # \'why\'\n  "", ]')
    )
    assert b"hunter2" not in blanked.content
    assert blanked.places == (
        """account[sales "password = 'x'"].smtp.password""",
        """account[sales "password = 'x'"].pop3.password""",
        "account[two].smtp.password_command",
    )


def test_the_example_keeps_all_but_its_passwords() -> None:
    content = EXAMPLE.read_bytes()
    blanked = blank_secrets(content)
    expected = content.replace(b'"change-me"', b'""').replace(b'"$argon2id$..."', b'""')
    assert blanked.content == re.sub(rb"(_command = )\[[^\]]*\]", rb'\1[""]', expected)
    assert len(blanked.places) == 3


@pytest.mark.parametrize(
    ("value", "blank"),
    [
        ('"postgresql://relay:hunter2@host/relay"', "'postgresql://relay:@host/relay'"),
        (
            '"postgresql://127.0.0.1/db?user=relay&password=hunter2&sslpassword=hunter3&sslmode=require"',
            "'postgresql://127.0.0.1/db?user=relay&password=&sslpassword=&sslmode=require'",
        ),
        ('"postgresql:///db?pass%77ord=hunter2"', "'postgresql:///db?pass%77ord='"),
        ('"postgresql://relay:hunt/er?2@host/relay"', "'postgresql://relay:@host/relay'"),
        ('"postgresql://relay@host/relay"', '"postgresql://relay@host/relay"'),
        ("'https://h/x'", "'https://h/x'"),
    ],
)
def test_the_password_in_a_url_goes(value: str, blank: str) -> None:
    assert blank_secrets(f"url = {value} # x\n".encode()).content.decode() == f"url = {blank} # x\n"


@pytest.mark.parametrize("content", [b"\xff", b"password = hunter2", b"a = {", b"a = " + b"[" * 5000])
def test_what_is_no_toml_is_not_given_back(content: bytes) -> None:
    with pytest.raises(ValueError, match="is not TOML") as error:
        blank_secrets(content)
    assert "hunter2" not in str(error.value)


def test_blanks_are_dropped_so_that_the_rest_can_be_read() -> None:
    server = {"password": "", "password_command": ["", ""], "x": 1}
    document = {"user": [{"name": "", "password_hash": ""}], "account": [{"smtp": server}]}
    assert drop_blanks(document) == {"user": [{"name": ""}], "account": [{"smtp": {"x": 1}}]}


values = st.one_of(st.text(max_size=12), st.integers(0, 9), st.booleans(), st.lists(st.text(max_size=6), max_size=3))
tables = st.dictionaries(st.sampled_from(["name", "password", "client_secret", "url", "list"]), values, max_size=4)


@given(content=st.dictionaries(st.sampled_from(["server", "web", "log"]), tables, max_size=3), note=st.text(max_size=9))
def test_whatever_is_written_no_secret_stays(content: dict[str, dict[str, object]], note: str) -> None:
    line = "".join(c for c in note if c.isprintable())
    try:
        written = f"# {line}\n{to_toml(content)}# {line}\n".encode()
        tomllib.loads(written.decode())
    except ValueError:
        return
    blanked = blank_secrets(written)
    found = tomllib.loads(blanked.content.decode())
    for name, table in content.items():
        assert found[name].keys() == table.keys()
        for key in ("password", "client_secret"):
            left = found[name].get(key)
            assert not isinstance(left, str) or left == ""
            assert not isinstance(left, list) or not any(left)


@pytest.mark.parametrize(
    ("note", "left"),
    [
        ("# password = '''hunter2'''", '# password = ""'),
        ('# password = """hunter2', '# password = ""'),
        ('# Password="hunter2', '# Password=""'),
        (
            '# database = "postgresql+psycopg://relay:hunter2@db/relay"',
            '# database = "postgresql+psycopg://relay:@db/relay"',
        ),
        (
            '# database = "postgresql://db/relay?user=relay&password=hunter2&x=1"  # old',
            '# database = "postgresql://db/relay?user=relay&password=&x=1"  # old',
        ),
        ('# password_command = ["pass", "show", "a]b"]  # old', '# password_command = [""]  # old'),
        ("# client_secret_command=['echo', 'hunter2']", '# client_secret_command=[""]'),
        ('# pop3.password_command = "echo hunter2"', '# pop3.password_command = ""'),
        (
            '# password_command = [\n#  "echo",\n#  "hun]ter2",\n# ] # end\n# next',
            '# password_command = [""]\n#\n#\n# # end\n# next',
        ),
        ('# password_command = ["echo", "hunter2', '# password_command = [""]'),
        ('# password = """\r\n# hunter2\r\n# """\r\n# next', '# password = ""\r\n#\r\n#\r\n# next'),
        ("# token = '''\n# hunter2 ''' # x", '# token = ""\n# # x'),
        ("# password_command = [\n\n# a note", '# password_command = [""]\n\n# a note'),
        ("# see https://docs.example:80/a and mail@example.com", None),
        ('# password_env = "NAME"', None),
    ],
)
def test_what_was_commented_out_is_no_less_secret(note: str, left: str | None) -> None:
    content = f"a = 1\n{note}\nb = 2\n"
    assert blank_secrets(content.encode()).content.decode() == content.replace(note, left or note)


def test_long_comments_take_no_time() -> None:
    for piece in ("_", "password", 'password = "', "://a:", "token = [", 'token = ["', "'", '"a",', "a://b?token="):
        blank_secrets(b"# " + piece.encode() * 20_000 + b"\n")
        blank_secrets(b"# token = [\n# " + piece.encode() * 20_000 + b"\n")
