import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.first_steps import reading
from relay.first_steps.reading import WrongAnswerError
from relay.settings.fields import read_user_name


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (reading.read_hostname, "mail.office.lan", "mail.office.lan"),
        (reading.read_mail_address, "Anna@Example.com", "Anna@Example.com"),
        (reading.read_user, "anna", "anna"),
        (reading.read_user_and_address, "anna = anna@example.com", ("anna", "anna@example.com")),
        (reading.read_account_name, "Büro", "Büro"),
        (reading.read_server, "smtp.provider.example", "smtp.provider.example"),
        (reading.read_port, "465", 465),
        (reading.read_networks, "192.168.1.7/24, 10.0.0.0/8  192.168.1.0/24", ("192.168.1.0/24", "10.0.0.0/8")),
        (reading.read_networks, "192.168.1.40", ("192.168.1.40/32",)),
        (reading.read_networks, " - ", ()),
        (reading.read_known_preset, "ionos", "ionos"),
        (reading.read_known_preset, "1und1", "ionos"),
        (reading.read_text, " x ", "x"),
        (reading.read_endpoint, " https://login.provider.example/token ", "https://login.provider.example/token"),
        (reading.read_scopes, " mail.send  mail.read", ["mail.send", "mail.read"]),
        (reading.read_scopes, "", []),
        (reading.one_of(("en", "de")), " DE", "de"),
        (reading.one_of(("Anna", "bert")), "anna", "Anna"),
        (reading.read_yes, "J", True),
        (reading.read_yes, "nein", False),
    ],
)
def test_a_good_answer_is_taken(read: Callable[[str], object], text: str, value: object) -> None:
    assert read(text) == value


BAD = [
    (reading.read_hostname, "mail_office"),
    (reading.read_mail_address, "anna"),
    (reading.read_user, "../etc"),
    (reading.read_user_and_address, "anna"),
    (reading.read_user_and_address, "anna=x"),
    (reading.read_account_name, "a/b"),
    (reading.read_server, "smtp://x"),
    (reading.read_port, "0"),
    (reading.read_port, "65536"),
    (reading.read_port, "²"),
    (reading.read_networks, "office"),
    (reading.read_known_preset, "nobody-knows-it"),
    (reading.read_file, "/there/is/none"),
    (reading.read_file, "\0"),
    (reading.read_day, "31.12.2027"),
    (reading.read_text, "  "),
    (reading.read_endpoint, "login.provider.example"),
    (reading.read_endpoint, "http://login.provider.example/"),
    (reading.one_of(("en", "de")), "fr"),
    (reading.read_yes, "perhaps"),
]


@pytest.mark.parametrize(("read", "text"), BAD)
def test_a_bad_answer_is_refused_with_the_reason_in_both_languages(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(WrongAnswerError) as caught:
        read(text)
    english, german = caught.value.words
    assert english
    assert german
    assert english != german
    assert "{" not in english + german


@given(st.text(max_size=200))
def test_whatever_is_typed_is_taken_or_refused(text: str) -> None:
    for read in {one for one, _ in BAD}:
        with contextlib.suppress(WrongAnswerError):
            read(text)


@given(st.text(max_size=80))
def test_a_name_made_of_an_address_can_be_a_users(local: str) -> None:
    assert read_user_name(reading.name_after(f"{local}@example.com", "account"))


def test_a_name_made_of_an_address_is_what_stands_before_the_at(tmp_path: Path) -> None:
    assert reading.name_after("Anna.Schmidt+x@example.com", "account") == "anna.schmidt-x"
    assert reading.name_after("ü@example.com", "account") == "account"
    file = tmp_path / "there"
    file.touch()
    assert reading.read_file(str(file)) == str(file)


@pytest.mark.parametrize(
    ("read", "english", "german"),
    [
        (reading.read_hostname, "Please give a name", "Bitte geben Sie einen Namen an"),
        (reading.read_user, "Please give a name", "Bitte geben Sie einen Namen an"),
        (reading.read_account_name, "Please give a name", "Bitte geben Sie einen Namen an"),
        (reading.read_mail_address, "Please give a mail address", "Bitte geben Sie eine E-Mail-Adresse an"),
        (reading.read_server, "Please give a server", "Bitte geben Sie einen Server an"),
        (reading.read_port, "Please give a port", "Bitte geben Sie einen Port an"),
        (reading.read_known_preset, "Please answer something", "Bitte geben Sie etwas ein"),
    ],
)
def test_who_answers_nothing_is_told_what_to_give(read: Callable[[str], object], english: str, german: str) -> None:
    for text in ("", " "):
        with pytest.raises(WrongAnswerError) as caught:
            read(text)
        assert caught.value.words == (english, german)


def test_a_file_is_named_by_its_plain_path_and_links_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "x").symlink_to(tmp_path / "real")
    (tmp_path / "ca.pem").touch()
    (tmp_path / "real" / "key.pem").touch()
    monkeypatch.chdir(tmp_path / "real")
    assert reading.read_file("../ca.pem") == str(tmp_path / "ca.pem")
    assert reading.read_file("../x/./key.pem") == str(tmp_path / "x" / "key.pem")
