"""The text of a notice for people: which sentences, in which order, of which facts; the words are in the tables."""

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from relay.model.account import User
from relay.model.address import ascii_domain
from relay.model.mail import Message, RecipientState
from relay.model.reply import Reply
from relay.rules.answers.about import About
from relay.rules.answers.connection_rows import explain_cause, read_cause
from relay.rules.answers.login_way import LoginWay, advise_way, suit
from relay.rules.answers.reading import choose_advice, explain, find_row
from relay.rules.answers.token_rows import is_ours, quote_own
from relay.rules.domains import readable_address
from relay.rules.notice_mime import plain, safe_domain
from relay.rules.notice_status import Story
from relay.rules.notice_texts import OWN_CAUSES, TEXTS, Alert, Others, Report, Texts
from relay.rules.state_words import say_delay

_SUBJECT_OCTETS = 200
_OF_ANSWERS = (Alert.ACCOUNT_PAUSED, Alert.SENDER_REFUSED, Alert.SETTING_NEEDED)
"""Alerts that tell what the provider's answer means, where a row has words for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertFacts:
    """What an alert tells, and whom; what is empty is left out."""

    kind: Alert
    account: str = ""
    reader: User | None = None
    """None: the postmaster."""
    message: Message | None = None
    """The mail that it is about."""
    address: str = ""
    """Whose, depends on the kind."""
    reply: Reply | None = None
    way: LoginWay = LoginWay.PASSWORD
    """By what the account logs in."""
    count: int = 1
    """Of mails."""
    once: str = ""
    """What is told once in a while: `NewMessage.once`."""
    comfort: bool = False
    """Whether the comforting sentence of the kind is true."""


def others_of(outcomes: Mapping[int, RecipientState], named: Collection[int]) -> Others:
    """Return what became of the recipients who are not named; each is given by his number."""
    rest = {outcome for n, outcome in outcomes.items() if n not in named}
    if RecipientState.DELIVERED not in rest:
        return Others.OPEN if RecipientState.PENDING in rest else Others.NONE
    return Others.MIXED if RecipientState.PENDING in rest else Others.HANDED_OVER


def word_report(language: str, hostname: str, story: Story) -> tuple[str, str]:
    """Write the subject and the text of a DSN."""
    texts, report = TEXTS[language], story.report
    words = texts.reports[report]
    title = words.subject_some if story.others in (Others.HANDED_OVER, Others.MIXED) else ""
    named = plain(story.subject, _SUBJECT_OCTETS) or texts.no_subject
    opening = [words.openings[story.others]]
    if words.goes_on:
        until = "" if story.retry_until is None else story.retry_until.strftime(texts.date)
        opening.append(words.goes_on_until.format(until=until) if until else words.goes_on)
    about = [
        (texts.subject_label, named),
        (texts.sent_label, story.sent.strftime(texts.date)),
        (texts.queue_id_label, plain(story.queue_id)),
    ]
    paragraphs = [" ".join(opening), _lines(about)]
    together: dict[tuple[bool, Reply], list[str]] = {}
    for one in story.recipients:
        together.setdefault((one.expired, one.reply), []).append(readable_address(plain(one.recipient.address)))
    for (expired, reply), addresses in together.items():
        again = texts.again
        if story.others is not Others.NONE or len(together) > 1:  # who sends it to all again sends it twice to some
            again = texts.again_to_one if len(addresses) == 1 else texts.again_to_several
        cause, action = _advise(language, story, reply, expired=expired, again=again)
        paragraphs += [
            "\n".join([f"{words.recipients_label}:", *(f"    {address}" for address in addresses)]),
            _lines(
                [
                    (texts.cause_label, cause),
                    _said(language, texts, reply),
                    (texts.action_label, action),
                ]
            ),
        ]
    if report is Report.FAILED and story.others is not Others.NONE:
        paragraphs.append(texts.others_have_it)
    if story.doubtful:
        paragraphs.append(texts.doubt)
    paragraphs.append(texts.header_attached if story.body is None else texts.whole_attached)
    return (title or words.subject).format(subject=named), close_text(language, paragraphs, hostname)


def _advise(language: str, story: Story, reply: Reply, *, expired: bool, again: str) -> tuple[str, str]:
    """Say why some recipients have not got it, and what the reader does.

    Where a row of the answers has words, they are said. What is wrong with the account is not the business of who wrote
    the mail: he reads that somebody has been told, who reads what mends it.
    """
    texts, report = TEXTS[language], story.report
    words, row = texts.reports[report], find_row(reply)
    if report is Report.RELAYED:
        return "", words.action
    hint = texts.advice[choose_advice(reply, expired=expired)]
    own = row.words(language) if reply.code else None
    delay = say_delay(reply, language) if report is Report.DELAYED and own is None else None
    cause = (hint.cause if delay is None else delay) if own is None else own.what
    if expired:
        cause = f"{texts.gave_up} {cause}"
    action = words.action or hint.action.format(again=again)
    if not row.about.is_of_account or (own is None and not (row.about is About.LOGIN and report is Report.DELAYED)):
        return cause, action
    if own is not None and story.account:
        advice = own.of(shlex.quote(plain(story.account, _SUBJECT_OCTETS))).advice
        return cause, f"{advice} {words.action or texts.then_again.format(again=again)}"
    if words.action:
        return cause, f"{texts.not_yours_yet} {words.action}"
    return cause, texts.not_yours.format(again=again)


def word_alert(language: str, hostname: str, facts: AlertFacts, *, helped: bool = False) -> tuple[str, str]:
    """Write the subject and the text of an alert; `helped` as in `alert_notice`."""
    texts, mail = TEXTS[language], facts.message
    words = texts.alerts[facts.kind]
    if facts.kind is Alert.ACCOUNT_PAUSED and facts.reply is not None and is_ours(facts.reply.text):
        words = texts.cannot_log_in
    named = {
        "account": plain(facts.account, _SUBJECT_OCTETS),
        "address": readable_address(plain(facts.address)),
        "command": shlex.quote(plain(facts.account, _SUBJECT_OCTETS)),
        "login": advise_way(facts.way, language, account=shlex.quote(plain(facts.account, _SUBJECT_OCTETS))),
        "count": str(facts.count),
        "queue_id": "" if mail is None else mail.id,
        "subject": ("" if mail is None else plain(mail.subject, _SUBJECT_OCTETS)) or texts.no_subject,
    }
    details = [
        (texts.account_label, named["account"]),
        (texts.subject_label, "" if mail is None else named["subject"]),
        (texts.queue_id_label, named["queue_id"]),
        *([] if facts.reply is None else [_said(language, texts, facts.reply)]),
    ]
    what = words.what_one if words.what_one and facts.count == 1 else words.what
    action = " ".join(filter(None, (words.action, words.helper if helped else ""))).format_map(named)
    meaning = ""
    if facts.reply is not None and facts.kind in _OF_ANSWERS:
        told = explain(facts.reply, language, account=named["command"])
        told = suit(told, facts.way, language, account=named["command"])
        if told is not None:
            meaning, action = told.what, " ".join(filter(None, (told.advice, words.mended.format_map(named))))
    paragraphs = [
        " ".join(filter(None, (what, words.comfort if facts.comfort else ""))).format_map(named),
        meaning,
        _lines(details),
        f"{texts.action_label}: {action}",
    ]
    return words.subject.format_map(named), close_text(language, paragraphs, hostname)


def _said(language: str, texts: Texts, reply: Reply) -> tuple[str, str]:
    """Quote the provider; what we say ourselves is told in the language, or left out where there are no words."""
    own = next((words for begin, words in OWN_CAUSES.items() if reply.text.lower().startswith(begin)), None)
    if own is not None:
        return texts.problem_label, own[language]
    if is_ours(reply.text):
        return texts.problem_label, plain(quote_own(reply.text, language))
    if reply.code:
        return texts.reply_label, plain(str(reply))
    cause = read_cause(reply.text)
    if cause is not None:
        return texts.problem_label, explain_cause(cause, language).what
    return texts.problem_label, plain(str(reply)) if language == "en" else ""


def _lines(facts: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{label}: {value}" for label, value in facts if value)


def close_text(language: str, paragraphs: Sequence[str], hostname: str) -> str:
    """Join paragraphs, without the empty ones, and say at the end which mail service wrote them."""
    closing = TEXTS[language].closing.format(hostname=safe_domain(ascii_domain(hostname)))
    return "\n\n".join(paragraph for paragraph in (*paragraphs, closing) if paragraph) + "\n"
