import datetime as dt
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.settings.oauth_fields import read_date, read_endpoint, read_identifier, read_scope, read_tenant

WORDS = st.text(st.sampled_from("htps:/127.0.0.1localhost@?#[] a.bé\\\x01"), max_size=40)


@given(WORDS | st.builds("{}://{}{}".format, st.sampled_from(["http", "https", "ftp"]), WORDS, WORDS))
def test_an_endpoint_is_encrypted_or_on_this_machine(text: str) -> None:
    try:
        parts = urlsplit(read_endpoint(text))
    except ValueError:
        return
    assert parts.hostname
    assert parts.scheme == "https" or (parts.scheme, parts.hostname) == ("http", "127.0.0.1")
    assert "@" not in parts.netloc
    assert not parts.fragment


@pytest.mark.parametrize("text", ["https://a.example/x?y=z", "http://127.0.0.1:8080/token"])
def test_what_is_an_endpoint(text: str) -> None:
    assert read_endpoint(text) == text


@pytest.mark.parametrize(
    "text",
    ["http://localhost/", "http://a.example/", "https://", "https://u:p@h/", "https://h/#x", "h", "https://[x/", 1],
)
def test_what_is_none(text: object) -> None:
    with pytest.raises(ValueError, match="must"):
        read_endpoint(text)


@given(st.text(max_size=30))
def test_a_scope_is_one_word_of_a_request(text: str) -> None:
    try:
        scope = read_scope(text)
    except ValueError:
        return
    assert scope == text
    assert len(scope.split()) == 1
    assert scope.isascii()


def test_a_date_is_one_and_no_time() -> None:
    assert read_date(dt.date(2027, 6, 30)) == dt.date(2027, 6, 30)
    for other in ("2027-06-30", dt.datetime(2027, 6, 30, tzinfo=dt.UTC), 2027):
        with pytest.raises(ValueError, match="without quotes"):
            read_date(other)


def test_ids_of_clients_and_directories() -> None:
    assert read_identifier("0-0@apps.example") == "0-0@apps.example"
    assert read_tenant("example.com") == "example.com"
    for reader, text in ((read_identifier, "a b"), (read_identifier, "é"), (read_tenant, "../x"), (read_tenant, "a/b")):
        with pytest.raises(ValueError, match="must be"):
            reader(text)
