from pathlib import Path

import pytest

from relay.model.account import MailboxServer
from relay.places import digest_of
from relay.settings.document import MAILBOX_TABLES, SERVER_TABLES, Table, read_document
from relay.settings.errors import ConfigurationError


def test_a_value_of_another_type_counts_as_missing() -> None:
    table = Table(content={"text": 1, "number": True, "flag": "true", "texts": "a", "table": [], "tables": {}})
    assert table.has("text")
    assert (table.text("text"), table.number("number"), table.flag("flag")) == (None, None, False)
    assert (table.texts("texts"), table.table("table").content, table.tables("tables")) == ([], {}, [])


def test_a_place_leads_to_each_value() -> None:
    root = Table(content={"a": [{"b": {"c": ["x", 5, "y"]}}, 7]})
    (first,) = root.tables("a")
    assert first.table("b").texts("c") == [(("a", 0, "b", "c", 0), "x"), (("a", 0, "b", "c", 2), "y")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"a = \xff", "line 1: this is not UTF-8"), (b"a = 'x", "line 1: a text in quotes has no end")],
)
def test_why_a_file_can_not_be_read(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "relay.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"relay.toml: {reason}") as error:
        read_document(path)
    assert error.value.__context__ is None
    path.write_bytes(b"\xef\xbb\xbfa = 1")
    assert read_document(path) == ({"a": 1}, digest_of(path))


def test_what_is_no_file_is_told_with_what_helps(tmp_path: Path) -> None:
    for path, reason in ((tmp_path, "name the file in it"), (tmp_path / "none", "mend the name behind -c")):
        with pytest.raises(ConfigurationError, match=reason):
            read_document(path)


def test_each_server_has_a_port_for_each_security() -> None:
    for kind, protocol in SERVER_TABLES.items():
        assert protocol.security in protocol.ports
        assert issubclass(protocol.settings, MailboxServer) is (kind in MAILBOX_TABLES)
