from hypothesis import given
from hypothesis import strategies as st

from relay.settings.errors import ConfigurationError, Finding, name_place, write_findings, write_line

DOCUMENT = {
    "account": [{"name": "sales", "smtp": {"port": 99999, "password": "hunter2"}}, {"name": "x"}, {"name": "x"}],
    "a b": 1,
}


def test_places_go_by_names_where_there_are_any_else_from_1() -> None:
    assert name_place(DOCUMENT, ("account", 0, "smtp", "port")) == "account[sales].smtp.port"
    assert name_place(DOCUMENT, ("account", 1, "owner")) == "account[2].owner"
    assert name_place(DOCUMENT, ("a b",)) == '"a b"'
    assert name_place({}, ("x", 3, "y")) == "x[4].y"


def test_the_form_is_file_key_value_reason_and_no_secret_is_shown() -> None:
    findings = [
        Finding(place=("account", 0, "smtp", "password"), reason="is bad"),
        Finding(place=("account", 0, "smtp", "port"), reason="must be 1 to 65535"),
        Finding(place=("account", 0, "smtp", "port"), reason="must be 1 to 65535"),
    ]
    assert write_findings("relay.toml", DOCUMENT, findings) == (
        "relay.toml: account[sales].smtp.port: 99999: must be 1 to 65535",
        "relay.toml: account[sales].smtp.password: is bad",
    )
    assert ConfigurationError(["a", "b"]).errors == ("a", "b")


@given(st.text(max_size=300))
def test_a_line_is_one_line_without_control_characters(text: str) -> None:
    line = write_line("relay.toml", text)
    assert line.isprintable()
    document = {"language": text}
    (shown,) = write_findings("relay.toml", document, [Finding(place=("language",), reason="bad")])
    assert shown.isprintable()
    assert len(shown) < 1500
