"""Writes docs/notices.md: what people read, in both languages, as the service itself writes it.

python -m tests.rules.notice_examples
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from relay.model.mail import Message, Recipient
from relay.model.reply import Reply
from relay.rules.answers.row import Advice
from relay.rules.answers.token_rows import nobody_signed_in
from relay.rules.disposition import Failure
from relay.rules.notice_status import Story
from relay.rules.notice_texts import TEXTS, Alert, Others, Report
from relay.rules.notice_wording import AlertFacts, word_alert, word_report
from relay.rules.refusal_texts import Part, Refused, Sentence
from relay.rules.refusals import refuse, refuse_address, refuse_size, say, speak, write_lines

DOCUMENT = Path(__file__).parents[2] / "docs" / "notices.md"
LANGUAGES = {"de": "German", "en": "English"}
_SENT = datetime(2026, 6, 1, 10, 15, tzinfo=ZoneInfo("Europe/Berlin"))
_UNTIL = datetime(2026, 6, 4, 10, 15, tzinfo=ZoneInfo("Europe/Berlin"))
_HOST, _ID = "relay.office.example", "01jx3v8q4c9k2m7p5r0t6w1y3z"
_CUSTOMER = Recipient(n=0, address="kunde@xn--mller-kva.example")
_UNKNOWN = Reply(code=550, enhanced="5.1.1", text="<kunde@xn--mller-kva.example>: Recipient address rejected: unknown")
_ARCHIVE_FULL = Reply(code=552, enhanced="5.2.2", text="<central@example.com>: the mailbox is full")
_CLOSED = Reply(code=0, enhanced="4.4.1", text="smtp.provider.example:587: Connection refused")
_SENDER = Reply(code=553, enhanced="5.7.1", text="<sales@example.com>: Sender address rejected: not owned by user bert")
_TENANT = Reply(code=550, enhanced="5.7.64", text="TenantAttribution; Relay Access Denied")
_LOGIN = Reply(code=535, enhanced="5.7.8", text="Error: authentication failed")
_UNSIGNED = Reply(code=535, enhanced="5.7.8", text=nobody_signed_in("sales"))
_LOST = Reply(code=0, enhanced="4.4.2", text="smtp.provider.example:587: the connection was lost")

_INTRODUCTION = """\
# What people read

Written by `python -m tests.rules.notice_examples` out of the service's own tables; a test proves that it is up to date.
Names, addresses and times are examples. The words are in `relay/rules/notice_german.py`, `notice_english.py` and
`refusal_texts.py`; what answers of providers mean, and technical causes, is in `relay/rules/answers/`.

"""


def write_document() -> str:
    """Write the whole page."""
    return _INTRODUCTION + "\n".join([*_reports(), *_alerts(), *_hints(), *_refusals()]).rstrip() + "\n"


def _reports() -> Iterator[str]:
    yield "## About a mail, to whoever wrote it (or who owns the account, or the postmaster)\n"
    for title, report, expired, reply, others in (
        ("A mail was refused", Report.FAILED, False, _UNKNOWN, Others.NONE),
        ("One of several recipients was refused", Report.FAILED, False, _UNKNOWN, Others.HANDED_OVER),
        ("A mail was refused for the account's sake", Report.FAILED, False, _TENANT, Others.NONE),
        ("A mail was given up", Report.FAILED, True, _CLOSED, Others.NONE),
        ("A mail still waits", Report.DELAYED, False, _CLOSED, Others.NONE),
        ("A mail was handed over, where the client asked to be told", Report.RELAYED, False,
         Reply(code=250, enhanced="2.0.0", text="Ok: queued"), Others.NONE),
    ):  # fmt: skip
        yield f"### {title}\n"
        for language, name in LANGUAGES.items():
            recipient = Failure(recipient=_CUSTOMER, reply=reply, expired=expired)
            story = Story(
                report=report, recipients=[recipient], subject="Angebot 4711", sent=_SENT, queue_id=_ID, header=b"",
                body=b"" if report is Report.FAILED else None, others=others,
                retry_until=_UNTIL if report is Report.DELAYED else None,
            )  # fmt: skip
            yield from _letter(name, *word_report(language, _HOST, story))


def _alerts() -> Iterator[str]:
    yield "## Alerts, to the postmaster\n"
    for kind, reply in {
        Alert.ACCOUNT_PAUSED: _LOGIN,
        Alert.SENDER_REFUSED: _SENDER,
        Alert.SETTING_NEEDED: _TENANT,
        Alert.ACCOUNT_GONE: None,
        Alert.ARCHIVE_FAILED: _ARCHIVE_FULL,
        Alert.UNCERTAIN_HELD: _LOST,
    }.items():
        yield f"### `{kind}`\n"
        of_a_mail = kind not in (Alert.ACCOUNT_PAUSED, Alert.ACCOUNT_GONE)
        facts = AlertFacts(
            kind=kind, account="sales", reply=reply, count=3, comfort=True,
            address="central@example.com" if kind is Alert.ARCHIVE_FAILED else "sales@example.com",
            message=mail_of_an_alert(_ID if of_a_mail else "", "Angebot 4711"),
        )  # fmt: skip
        for language, name in LANGUAGES.items():
            yield from _letter(name, *word_alert(language, _HOST, facts))
    yield "### `account_paused`, where the account has nothing to log in with\n"
    facts = AlertFacts(kind=Alert.ACCOUNT_PAUSED, account="sales", address="sales@example.com", reply=_UNSIGNED)
    for language, name in LANGUAGES.items():
        yield from _letter(name, *word_alert(language, _HOST, facts))


def mail_of_an_alert(queue_id: str, subject: str = "") -> Message | None:
    """Make the mail that an alert is about; None without an id."""
    if not queue_id:
        return None
    return Message(
        id=queue_id, received_at=0, user=None, account="sales", rule="1a", reverse_path="", header_message_id="",
        subject=subject, size=0, client="127.0.0.1", header=b"",
    )  # fmt: skip


def _letter(language: str, subject: str, text: str) -> Iterator[str]:
    yield f"{language}:\n\n```text\n{subject}\n\n{text}```\n"


def _hints() -> Iterator[str]:
    yield "## Reasons, and what to do\n"
    yield "| reason | German | English |\n| --- | --- | --- |"
    for advice in Advice:
        german, english = TEXTS["de"].advice[advice], TEXTS["en"].advice[advice]
        actions = [one.action.format(again=TEXTS[name].again) for name, one in (("de", german), ("en", english))]
        yield f"| `{advice}` | {german.cause} *{actions[0]}* | {english.cause} *{actions[1]}* |"
    yield ""


def _refusals() -> Iterator[str]:
    yield "## Refusals that a mail program shows\n"
    yield 'As they are sent where `language = "de"`; where it is `en`, the last line of each alone.\n'
    yield "```text"
    for reply in _all_refusals():
        yield from write_lines(speak(reply, "de"))
    yield "```"


def _all_refusals() -> Iterator[Reply]:
    advice = say(Part.LOG_IN, ip="192.0.2.7")
    sender = say(Part.UNKNOWN_SENDER, address="info@example.net")
    why: dict[str, str | Sentence] = {"who": "bert", "account": "chef"}
    facts: dict[str, str | Sentence] = {
        "account": "chef", "address": "chef@example.com", "advice": advice, "count": "60", "fields": "From or Sender",
        "ip": "192.0.2.7", "line": "4", "most": "1048576", "name": "From", "sender": sender, "who": "bert",
    }  # fmt: skip
    for kind in Refused:
        match kind:
            case Refused.TOO_LARGE:
                yield refuse_size(None, most=50 << 20)
            case Refused.TOO_LARGE_KNOWN | Refused.PROVIDER_TOO_LARGE:
                yield refuse_size(58 << 20, most=50 << 20, by_provider=kind is Refused.PROVIDER_TOO_LARGE)
            case Refused.ADDRESS_FAULT:
                yield refuse_address(Part.RECIPIENT, "has a bad domain")
            case Refused.RESTRICTED:
                for part in (Part.ADD_TO_USERS, Part.WITHOUT_LOGIN, Part.WITHOUT_PROOF):
                    given = why if "{advice}" not in part.value.english else {**why, "advice": advice}
                    yield refuse(kind, why=say(part, **given))
            case Refused.MANY_FIELDS:
                yield refuse(kind, count="12000", most="10000")
            case Refused.NOT_VISIBLE:
                yield refuse(kind, **facts, why=say(Part.THE_EXCLUDED, account="chef"))
            case _:
                yield refuse(kind, **facts)


if __name__ == "__main__":
    DOCUMENT.write_text(write_document(), encoding="utf-8")
