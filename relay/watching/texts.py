"""What a finding is called, and what to do about it, in German and in English, for readers who run no servers."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from relay.rules.answers.connection_rows import explain_cause, read_cause
from relay.rules.answers.login_way import advise_way, suit
from relay.rules.answers.reading import LOGIN_STEP, explain, explain_poll, parse_stored
from relay.rules.answers.row import Explanation, Stage
from relay.rules.answers.token_rows import is_ours, quote_own
from relay.rules.notice_mime import plain
from relay.rules.states import Grade
from relay.watching.findings import Finding, Kind
from relay.watching.text_english import ENGLISH
from relay.watching.text_german import GERMAN
from relay.watching.text_table import Language, Text

_LONGEST = 200
_OF_SERVERS = frozenset({Kind.PROVIDER_SILENT, Kind.MAILBOX_REFUSED, Kind.MAILBOX_FAILING})
_REPLY = re.compile(r"[2-5][0-9]{2}[ -]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Description(Text):
    """What people read of one finding."""

    facts: tuple[tuple[str, str], ...]
    """Labels and values: since when, what it holds up, what was said."""


LANGUAGES: Mapping[str, Language] = {"de": GERMAN, "en": ENGLISH}
"""By the configuration's `language`."""


def describe(finding: Finding, language: str, show_time: Callable[[int], str]) -> Description:
    """Return the words of a finding; `show_time` writes a moment (milliseconds since 1970) as the reader knows it."""
    words = LANGUAGES[language]
    full = finding.kind is Kind.DISK_LOW and finding.grade is Grade.NEEDS_YOU
    text = words.full if full else words.texts[finding.kind]
    if finding.kind in words.lacking and is_ours(parse_stored(finding.detail).text):
        text = words.lacking[finding.kind]
    counted = finding.number if finding.kind is Kind.BOUNCED else finding.mails
    names = {
        "subject": plain(finding.subject, _LONGEST),
        "command": shlex.quote(plain(finding.subject, _LONGEST)),
        "login": advise_way(
            finding.way,
            language,
            account=shlex.quote(plain(finding.subject, _LONGEST)),
            collects=finding.kind is Kind.MAILBOX_REFUSED,
        ),
        "mails": count_mails(counted, language),
        "number": str(finding.number),
        "days": words.days[min(finding.number, 2)].format(count=finding.number),
        "size": _size(finding.number, language),
    }
    facts = (
        (words.since, "" if finding.since is None else show_time(finding.since)),
        (words.holds_up, count_mails(finding.mails, language) if finding.mails else ""),
        _said(words, finding, language),
    )
    told = suit(_explain(finding, language), finding.way, language, account=names["command"])
    what, action = text.what.format_map(names), text.action.format_map(names)
    if told is not None:
        # What was seen on the way to a server stands among the facts.
        what = what if read_cause(finding.detail) is not None else f"{told.what} {what}"
        again = {Kind.LOGIN_REFUSED: words.mended, Kind.MAILBOX_FAILING: words.collected}.get(finding.kind, "")
        action = f"{told.advice} {again.format_map(names)}".strip()
    return Description(
        title=text.title.format_map(names),
        what=what,
        action=action,
        over=text.over.format_map(names),
        facts=tuple(fact for fact in facts if fact[1]),
    )


def _explain(finding: Finding, language: str) -> Explanation | None:
    """Return what a provider's answer means that needs a person; None where no row has words for it."""
    account = shlex.quote(plain(finding.subject, _LONGEST))
    if finding.kind in (Kind.MAILBOX_REFUSED, Kind.MAILBOX_FAILING):
        return explain_poll(finding.detail, language, account=account)
    if finding.kind not in (Kind.LOGIN_REFUSED, Kind.SETTING_NEEDED):
        return None
    stage = Stage.SEND if finding.kind is Kind.SETTING_NEEDED else Stage.LOGIN
    return explain(parse_stored(finding.detail), language, account=account, stage=stage)


def _said(words: Language, finding: Finding, language: str) -> tuple[str, str]:
    """Quote the provider; what we saw of his server is told in the language, where there are words for it."""
    detail = finding.detail
    cause = read_cause(detail) if finding.kind in _OF_SERVERS else None
    if cause is not None:
        what = explain_cause(cause, language).what
        return words.cause, f"{plain(finding.host, _LONGEST)}: {what}" if finding.host else what
    if detail.startswith(LOGIN_STEP):
        return words.reply, plain(detail.removeprefix(LOGIN_STEP))
    if is_ours(said := parse_stored(detail).text):
        return words.cause, plain(quote_own(said, language))
    if _REPLY.match(detail):
        return words.reply, plain(detail)
    return words.cause, plain(detail)


def count_mails(count: int, language: str) -> str:
    """Write a number of mails with its noun."""
    words = LANGUAGES[language]
    return words.one_mail if count == 1 else words.mails.format(count=count)


def _size(octets: int, language: str) -> str:
    size, unit = octets / (1 << 20), "MB"
    if size >= 1024:
        size, unit = size / 1024, "GB"
    text = f"{size:.1f} {unit}"
    return text.replace(".", ",") if language == "de" else text
