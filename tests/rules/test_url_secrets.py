"""What SQLAlchemy reads as a password is found, in whatever way it is written, and all else of a URL stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, make_url

from relay.rules.url_secrets import blank_url, blank_urls, find_url_secrets, shorten_url

TEXT = st.text(min_size=1, max_size=20)
PRINTABLE = TEXT.filter(lambda text: text.isprintable())


@pytest.mark.parametrize(
    ("url", "blank", "secrets", "short"),
    [
        ("sqlite:///relay.db?timeout=3", "sqlite:///relay.db?timeout=3", [], "sqlite:///relay.db"),
        ("https://u:p@h:1/a?token=t#x", "https://u:@h:1/a?token=", ["p", "p", "t#x", "t#x"], "https://h:1/a"),
        ("https://h/a@b?c=d", "https://h/a@b?c=d", [], "https://h/a@b"),
        ("https://h:80/a@b", "https://h:80/a@b", [], "https://h:80/a@b"),
        ("postgresql://u:a@b@h/d", "postgresql://u:@h/d", ["a@b", "a@b"], "postgresql://h/d"),
        ("postgresql:///d?Password=a+b&user=u", "postgresql:///d?Password=&user=u", ["a+b", "a b"], "postgresql:///d"),
        ("postgresql:///d?passfile=/a&password=", "postgresql:///d?passfile=/a&password=", [], "postgresql:///d"),
        ("no URL: a?token=b", "no URL: a?token=b", [], "no URL: a?token=b"),
        ("", "", [], ""),
    ],
)
def test_a_url_is_read(url: str, blank: str, secrets: list[str], short: str) -> None:
    assert (blank_url(url), [*find_url_secrets(url)], shorten_url(url)) == (blank, secrets, short)


def test_urls_within_a_text_are_blanked() -> None:
    text = "see (smtp://u:p@h), 'postgresql:///d?password=p'. Then a@b:c, and https://docs.example:80/a"
    assert blank_urls(text, "*") == text.replace("u:p@", "u:*@").replace("password=p", "password=*")


@given(password=TEXT, query=st.dictionaries(st.sampled_from(["password", "sslpassword", "user", "host"]), TEXT))
def test_whatever_the_password_is_sqlalchemy_finds_none_afterwards(password: str, query: dict[str, str]) -> None:
    url = URL.create("postgresql", "relay", password, "127.0.0.1", 5432, "db", query)
    written = url.render_as_string(hide_password=False)
    read, blank = make_url(written), make_url(blank_url(written))
    assert not blank.password
    left = {key: value for key, value in read.query.items() if not key.endswith("password")}
    assert dict(blank.query) == left
    assert (blank.host, blank.port, blank.database, blank.username) == (read.host, read.port, read.database, "relay")
    secrets = {read.password, *(value for key, value in read.query.items() if key.endswith("password"))}
    assert secrets <= {*find_url_secrets(written)}
    assert make_url(shorten_url(written)) == URL.create("postgresql", host="127.0.0.1", port=5432, database="db")


@given(TEXT)
def test_any_text_is_read(text: str) -> None:
    for one in (text, f"postgres://{text}", f"http://{text}"):
        assert [blank_url(blank_url(one)), blank_urls(one, "*") and 1, shorten_url(one) and 1] == [blank_url(one), 1, 1]
