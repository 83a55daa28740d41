"""The words of findings: complete in both languages, and fit for those who run no servers."""

import re
import string

import pytest

from relay.rules.answers.connection_rows import explain_cause
from relay.rules.answers.login_way import LoginWay
from relay.rules.answers.row import Cause
from relay.rules.answers.token_rows import nobody_signed_in
from relay.rules.states import Grade
from relay.watching.alerting import TOLD
from relay.watching.findings import Finding, Kind
from relay.watching.texts import LANGUAGES, count_mails, describe

NAMES = {"subject", "command", "login", "mails", "number", "days", "size"}
ENGLISH_IN_GERMAN = re.compile(
    r"\b(?:server|login|account|mailbox|queue|timeout|status|error|disk|backup|provider|inbox|retry)\b", re.IGNORECASE
)


def words_of(text: str) -> str:
    """Give a German text without the commands and file names that it quotes."""
    return re.sub(r"„[^“]*“|\[[^]]*]|recipients_per_day|\{[a-z]+}", "", text)


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_kind_has_its_words(language: str) -> None:
    texts = LANGUAGES[language].texts
    assert set(texts) == set(Kind)
    for kind, text in (*texts.items(), (Kind.DISK_LOW, LANGUAGES[language].full)):
        assert text.title, text.action
        assert bool(text.over) == (kind in TOLD)
        for part in (text.title, text.what, text.action, text.over):
            assert {name for _, name, _, _ in string.Formatter().parse(part) if name is not None} <= NAMES


def test_german_holds_no_word_of_english() -> None:
    for text in (*LANGUAGES["de"].texts.values(), LANGUAGES["de"].full):
        for part in (text.title, text.what, text.action, text.over):
            assert ENGLISH_IN_GERMAN.findall(words_of(part)) == []


def test_a_finding_is_described_with_its_facts() -> None:
    finding = Finding(
        kind=Kind.LOGIN_REFUSED, grade=Grade.NEEDS_YOU, subject="big sales", since=5, mails=1, detail="535 no\x1b"
    )
    words = describe(finding, "de", lambda at: f"({at})")
    assert words.title == "Konto „big sales“ darf nicht senden: Der Anbieter lehnt die Anmeldung ab"
    assert words.facts == (("Seit", "(5)"), ("Betroffen", "1 E-Mail"), ("Antwort des Anbieters", "535 no"))
    assert "relay account resume 'big sales'" in words.action


@pytest.mark.parametrize(
    ("language", "octets", "shown"),
    [("en", 52_428_800, "50.0 MB"), ("de", 1_610_612_736, "1,5 GB"), ("de", 0, "0,0 MB")],
)
def test_the_room_on_a_disk_is_shown_as_people_read_it(language: str, octets: int, shown: str) -> None:
    finding = Finding(kind=Kind.DISK_LOW, grade=Grade.WATCH, subject="/var", number=octets)
    assert shown in describe(finding, language, str).title


def test_a_disk_at_its_limit_is_full_and_takes_no_mail_now() -> None:
    low, full = (Finding(kind=Kind.DISK_LOW, grade=grade, number=1) for grade in (Grade.WATCH, Grade.NEEDS_YOU))
    assert "fast voll" in describe(low, "de", str).title
    assert "fast" not in describe(full, "de", str).title
    assert "werden nicht mehr angenommen" in describe(full, "de", str).what
    assert "is taken or collected any more" in describe(full, "en", str).what


def test_mails_are_counted_with_their_noun() -> None:
    assert [count_mails(n, "en") for n in (0, 1, 2)] == ["0 e-mails", "1 e-mail", "2 e-mails"]
    assert [count_mails(n, "de") for n in (1, 2)] == ["1 E-Mail", "2 E-Mails"]


def test_what_was_counted_in_the_past_is_not_what_is_held_up() -> None:
    words = describe(Finding(kind=Kind.BOUNCED, grade=Grade.WATCH, number=2), "en", str)
    assert words.title == "2 e-mails of the last 7 days not delivered to everybody"
    assert words.facts == ()


@pytest.mark.parametrize(
    ("detail", "label", "said"),
    [
        ("535 5.7.8 no", "Antwort des Anbieters", "535 5.7.8 no"),
        ("login: Bad login", "Antwort des Anbieters", "Bad login"),
        ("4.4.1 smtp.example: Connection refused", "Technische Ursache", explain_cause(Cause.REFUSED, "de").what),
        ("connect: pop.example: Connection refused", "Technische Ursache", explain_cause(Cause.REFUSED, "de").what),
        ("something else", "Technische Ursache", "something else"),
    ],
)
def test_what_was_seen_is_told_in_the_language_and_a_provider_is_quoted(detail: str, label: str, said: str) -> None:
    finding = Finding(kind=Kind.MAILBOX_FAILING, grade=Grade.WATCH, subject="sales", detail=detail)
    assert describe(finding, "de", str).facts == ((label, said),)


@pytest.mark.parametrize("kind", [Kind.LOGIN_REFUSED, Kind.MAILBOX_REFUSED])
@pytest.mark.parametrize(
    ("language", "what", "command"),
    [("en", "cannot log in", '"relay account authorize sales"'),
     ("de", "nicht anmelden kann", "„relay account authorize sales“")],
)  # fmt: skip
def test_what_the_account_lacks_is_no_refusal_of_the_provider(
    kind: Kind, language: str, what: str, command: str
) -> None:
    said = nobody_signed_in("sales") if kind is Kind.MAILBOX_REFUSED else f"535 5.7.8 {nobody_signed_in('sales')}"
    words = describe(Finding(kind=kind, grade=Grade.NEEDS_YOU, subject="sales", detail=said), language, str)
    assert what in words.title
    assert command in words.action
    assert [value for _, value in words.facts] == [nobody_signed_in("sales")] * (language == "en"), (
        "or it is translated"
    )
    over = "the login is over: relay account authorize sales (invalid_grant: taken back)"
    quoted = describe(Finding(kind=kind, grade=Grade.NEEDS_YOU, subject="sales", detail=over), language, str)
    assert [value for _, value in quoted.facts] == [over], "what the issuer said is quoted"
    refused = describe(Finding(kind=kind, grade=Grade.NEEDS_YOU, subject="sales", detail="535 5.7.8 no"), language, str)
    assert what not in refused.title


@pytest.mark.parametrize(
    ("language", "days", "said"),
    [("en", 0, "in less than a day"), ("en", 1, "in 1 day"), ("en", 13, "in 13 days"),
     ("de", 0, "in weniger als einem Tag ab"),
     ("de", 1, "in 1 Tag ab"), ("de", 2, "in 2 Tagen ab")],
)  # fmt: skip
def test_days_are_counted_with_their_noun(language: str, days: int, said: str) -> None:
    finding = Finding(kind=Kind.CERTIFICATE_EXPIRES, grade=Grade.WATCH, subject="/c.pem", number=days)
    assert describe(finding, language, str).title.endswith(said)


@pytest.mark.parametrize("kind", [Kind.LOGIN_REFUSED, Kind.MAILBOX_REFUSED])
@pytest.mark.parametrize("language", ["de", "en"])
def test_a_change_of_the_configuration_is_also_to_be_taken_over(kind: Kind, language: str) -> None:
    said = describe(Finding(kind=kind, grade=Grade.NEEDS_YOU, subject="sales"), language, str)
    assert "relay account edit sales --" in said.action, "which the running service takes over by itself"


def test_what_the_provider_answered_to_a_login_decides_what_helps() -> None:
    said = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox."
    refused = Finding(kind=Kind.LOGIN_REFUSED, grade=Grade.NEEDS_YOU, subject="sales", detail=said)
    english, german = (describe(refused, language, str) for language in ("en", "de"))
    assert "Authenticated SMTP" in english.action
    assert english.action.endswith('"relay account resume sales" then tries it at once.')
    assert "Authentifiziertes SMTP" in german.action
    assert "password" not in english.action
    basic = "login: Authentication unsuccessful, basic authentication is disabled."
    box = Finding(kind=Kind.MAILBOX_REFUSED, grade=Grade.NEEDS_YOU, subject="sales", detail=basic)
    assert "relay account authorize sales" in describe(box, "de", str).action


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_host_that_is_not_found_is_named_with_what_to_compare_and_the_command_that_tries_it(language: str) -> None:
    lost = Finding(
        kind=Kind.MAILBOX_FAILING,
        grade=Grade.NEEDS_YOU,
        subject="big sales",
        detail="connect: pop.exmaple: Name or service not known",
        host="pop.exmaple",
    )
    told, words = describe(lost, language, str), explain_cause(Cause.NO_SUCH_HOST, language)
    assert told.facts[-1][1] == f"pop.exmaple: {words.what}"
    assert told.action.startswith(words.advice)
    assert "relay account test 'big sales'" in told.action


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("kind", [Kind.LOGIN_REFUSED, Kind.MAILBOX_REFUSED])
def test_each_account_is_told_the_command_that_it_takes(kind: Kind, language: str) -> None:
    commands = {
        LoginWay.PASSWORD: "edit a --pop3-password" if kind is Kind.MAILBOX_REFUSED else "edit a --password",
        LoginWay.PERSON: "authorize a",
        LoginWay.SECRET: "edit a --client-secret",
        LoginWay.KEY: "edit a --private-key",
    }
    for way, command in commands.items():
        detail = "login: no" if kind is Kind.MAILBOX_REFUSED else "535 no"
        finding = Finding(kind=kind, grade=Grade.NEEDS_YOU, subject="a", detail=detail, way=way)
        action = describe(finding, language, str).action
        assert f"relay account {command}" in action
        assert not [other for other in commands.values() if other != command and f"account {other}" in action]
