from datetime import UTC, datetime

import pytest

from relay.model.mail import Recipient, RecipientState
from relay.model.reply import Reply
from relay.rules.answers.login_way import LoginWay
from relay.rules.disposition import Failure
from relay.rules.notice_status import Story
from relay.rules.notice_texts import OWN_CAUSES, Alert, Others, Report
from relay.rules.notice_wording import AlertFacts, others_of, word_alert, word_report

AT = datetime(2026, 6, 1, 8, 15, tzinfo=UTC)
HOST = "relay.office.example"
PENDING, DELIVERED, BOUNCED = RecipientState.PENDING, RecipientState.DELIVERED, RecipientState.BOUNCED


def tell(
    report: Report = Report.FAILED,
    *,
    language: str = "de",
    address: str = "kunde@example.net",
    reply: Reply | None = None,
    others: Others = Others.NONE,
    until: datetime | None = None,
) -> str:
    reply = reply or Reply(code=550, enhanced="5.1.1", text="no such user")
    recipient = Failure(recipient=Recipient(n=0, address=address), reply=reply)
    story = Story(
        report=report, recipients=[recipient], subject="Angebot", sent=AT, queue_id="01jx", header=b"", body=None,
        others=others, retry_until=until,
    )  # fmt: skip
    return word_report(language, HOST, story)[1]


@pytest.mark.parametrize(
    ("outcomes", "named", "others"),
    [
        ([BOUNCED], {0}, Others.NONE),
        ([BOUNCED, BOUNCED], {0}, Others.NONE),
        ([BOUNCED, DELIVERED], {0}, Others.HANDED_OVER),
        ([BOUNCED, PENDING], {0}, Others.OPEN),
        ([PENDING, DELIVERED, PENDING], {0}, Others.MIXED),
        ([BOUNCED, DELIVERED, BOUNCED], {0}, Others.HANDED_OVER),
        ([], set(), Others.NONE),
    ],
)
def test_what_became_of_the_others(outcomes: list[RecipientState], named: set[int], others: Others) -> None:
    assert others_of(dict(enumerate(outcomes)), named) is others


_NOT_ALL = "Ihre E-Mail konnte nicht an alle Empfänger zugestellt werden"


@pytest.mark.parametrize(
    ("others", "begins"),
    [
        (Others.NONE, "Ihre E-Mail konnte nicht zugestellt werden.\n"),
        (Others.HANDED_OVER, f"{_NOT_ALL}; für die übrigen hat Ihr E-Mail-Anbieter sie angenommen.\n"),
        (Others.OPEN, f"{_NOT_ALL}; bei den übrigen steht es noch nicht fest.\n"),
    ],
)
def test_one_of_several_recipients_failed(others: Others, begins: str) -> None:
    assert tell(others=others).startswith(begins)


def test_a_mail_that_others_have_is_sent_again_only_to_those_who_have_it_not() -> None:
    only, rest = "senden Sie die E-Mail dann nur an diese Adresse noch einmal", "Die übrigen Empfänger brauchen"
    for others in Others:
        some = others is not Others.NONE
        text = tell(others=others)
        assert (only in text, rest in text) == (some, some)
        assert ("senden Sie die E-Mail dann noch einmal" in text) is not some
        assert rest not in tell(Report.DELAYED, others=others)
    assert "send the e-mail again only to this address." in tell(language="en", others=Others.OPEN)


def test_who_fail_for_two_reasons_are_each_told_what_to_do() -> None:
    replies = ((550, "5.1.1", "no", 2), (552, "5.2.2", "full", 1))
    failed = [
        Failure(recipient=Recipient(n=n, address=f"{code}-{n}@example.net"),
                reply=Reply(code=code, enhanced=enhanced, text=text))
        for code, enhanced, text, number in replies
        for n in range(number)
    ]  # fmt: skip
    story = Story(report=Report.FAILED, recipients=failed, subject="", sent=AT, queue_id="01jx", header=b"", body=None)
    text = word_report("de", HOST, story)[1]
    assert "dann nur an diese Adressen noch einmal" in text
    assert "senden Sie die E-Mail nur an diese Adresse noch einmal, sobald" in text
    assert "Die übrigen" not in text


def test_who_looks_after_the_service_is_not_sent_to_himself() -> None:
    for helped in (True, False):
        text = word_alert("de", HOST, AlertFacts(kind=Alert.UNCERTAIN_HELD), helped=helped)[1]
        assert ("Beides tut die Person, die den Maildienst betreut." in text) is helped


def test_one_mail_is_not_called_several() -> None:
    for number, told in ((1, " Eine E-Mail, die darüber"), (3, " 3 E-Mails, die darüber")):
        assert told in word_alert("de", HOST, AlertFacts(kind=Alert.ACCOUNT_GONE, count=number))[1]


def test_a_delay_says_until_when_it_is_tried() -> None:
    assert "Der Maildienst versucht es weiter, längstens bis 01.06.2026, 08:15 Uhr." in tell(Report.DELAYED, until=AT)
    assert "until 2026-06-01, 08:15 at the latest." in tell(Report.DELAYED, until=AT, language="en")
    assert "Der Maildienst versucht es weiter.\n" in tell(Report.DELAYED)
    assert "Beigefügt sind die Kopfzeilen der E-Mail." in tell(Report.DELAYED)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(code=451, enhanced="4.3.0", text="later"), "Der Anbieter bittet, es später noch einmal zu versuchen."),
        (Reply(code=450, enhanced="4.7.1", text="policy"), "Der Anbieter bittet, es später noch einmal zu versuchen."),
        (
            Reply(code=451, enhanced="4.7.1", text="Greylisted"),
            "Die Gegenseite prüft unbekannte Absender zuerst; das geht von selbst vorbei.",
        ),
        (Reply(code=452, enhanced="4.2.2", text="over quota"), "Das Postfach des Empfängers ist voll."),
    ],
)
def test_what_only_delays_is_not_told_as_a_refusal(reply: Reply, told: str) -> None:
    assert f"Grund: {told}\n" in tell(Report.DELAYED, reply=reply)
    assert "abgelehnt" not in tell(Report.DELAYED, reply=reply)
    for own in OWN_CAUSES:  # what we say ourselves
        assert "abgelehnt" not in tell(Report.DELAYED, reply=Reply(code=0, enhanced="", text=own))


def test_domains_are_shown_as_people_write_them() -> None:
    assert "    kunde@müller.example\n" in tell(address="kunde@xn--mller-kva.example")
    spoof = "kunde@xn--pypal-4ve.example"  # a Cyrillic a among Latin letters
    assert f"    {spoof}\n" in tell(address=spoof)
    facts = AlertFacts(kind=Alert.ARCHIVE_FAILED, address="a@xn--bro-hoa.example")
    subject, text = word_alert("de", HOST, facts)
    assert subject == "Blindkopie nicht zugestellt: a@büro.example"
    assert "a@büro.example" in text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "smtp.example:587: Connection refused",
            "Der Server des Anbieters antwortet, lehnt die Verbindung aber ab.",
        ),
        ("smtp.example:587 did not answer in time", "Der Server des Anbieters antwortet nicht."),
        ("smtp.example:587: Name or service not known", "Einen Server dieses Namens gibt es nicht."),
        (
            "the certificate of smtp.example:587: certificate has expired",
            "Das Zertifikat, mit dem sich der Server ausweist, ist abgelaufen.",
        ),
        ("the connection was lost", "Der Server des Anbieters hat die Verbindung ohne Begründung beendet."),
    ],
)
def test_technical_causes_are_told_in_german(said: str, told: str) -> None:
    assert f"Technische Ursache: {told}\n" in tell(reply=Reply(code=0, enhanced="4.4.1", text=said))


@pytest.mark.parametrize("begin", OWN_CAUSES)
def test_what_we_say_ourselves_is_told_in_both_languages(begin: str) -> None:
    for language, label in (("de", "Technische Ursache"), ("en", "Technical cause")):
        text = tell(reply=Reply(code=0, text=begin.capitalize() + " x"), language=language)
        assert f"{label}: {OWN_CAUSES[begin][language]}" in text


def test_what_nobody_has_translated_is_left_out_of_german_and_the_providers_words_stay() -> None:
    assert "Technische Ursache" not in tell(reply=Reply(code=0, text="an odd thing"))
    assert "Technical cause: an odd thing" in tell(reply=Reply(code=0, text="an odd thing"), language="en")
    assert "Antwort des E-Mail-Anbieters: 550 5.1.1 no such user" in tell()


def test_comfort_is_said_only_where_it_is_true() -> None:
    for comfort in (True, False):
        facts = AlertFacts(kind=Alert.ARCHIVE_FAILED, address="a@x.example", comfort=comfort)
        assert ("nicht betroffen" in word_alert("de", HOST, facts)[1]) is comfort


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("nobody has signed in yet: relay account authorize sales", False),
        ("the login is over: relay account authorize sales (invalid_grant: taken back)", True),
    ],
)
def test_an_account_that_has_nothing_to_log_in_with_was_refused_by_nobody(said: str, kept: bool) -> None:
    reply = Reply(code=535, enhanced="5.7.8", text=said)
    facts = AlertFacts(kind=Alert.ACCOUNT_PAUSED, account="sales", address="sales@example.com", reply=reply)
    for language, refused in (("en", "refused"), ("de", "abgelehnt")):
        subject, text = word_alert(language, "relay.office.example", facts)
        assert "relay account authorize sales" in text
        assert refused not in subject + text
        assert "535" not in text
        assert (said in text) is (kept or language == "en"), "what the issuer said is quoted, the rest is translated"


@pytest.mark.parametrize(("language", "part"), [("de", "Authentifiziertes SMTP"), ("en", "Authenticated SMTP")])
def test_an_alert_says_what_the_providers_answer_means(language: str, part: str) -> None:
    said = "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
    reply = Reply(code=535, enhanced="5.7.139", text=said)
    facts = AlertFacts(kind=Alert.ACCOUNT_PAUSED, account="sales", address="sales@example.com", reply=reply)
    _, text = word_alert(language, "relay.office.example", facts)
    assert part in text
    assert "relay account resume sales" in text
    assert said in text


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_refused_app_is_given_another_secret_and_nobody_signs_in(language: str) -> None:
    for text in ("no", "no token: login.example refuses: invalid_grant"):
        reply = Reply(code=535, enhanced="5.7.8", text=text)
        facts = AlertFacts(kind=Alert.ACCOUNT_PAUSED, account="a", reply=reply, way=LoginWay.SECRET)
        _, told = word_alert(language, "relay.example", facts)
        assert "relay account edit a --client-secret" in told
        assert "authorize" not in told
        assert "--password" not in told
