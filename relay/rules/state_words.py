"""The words for how a mail stands, in German and in English, for readers who know nothing of mail servers.

Both tables are complete; a test proves it. A cause is told in the words of the notices, so that all say the same.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from relay.model.reply import Reply
from relay.rules.answers.row import Advice
from relay.rules.states import Situation, Standing

_WORDS: Final[Mapping[str, Mapping[Situation, str]]] = {
    "en": {
        Situation.TURN: "waits for its turn",
        Situation.LATER: "leaves at {when}",
        Situation.RETRY: "waits, next try {when}",
        Situation.REFUSED_LOGIN: "waits until the account works",
        Situation.PAUSED: "waits: the account is paused",
        Situation.DAY_FULL: "waits for tomorrow",
        Situation.CLOSED: "waits until {when}",
        Situation.ACTIVE: "is being sent",
        Situation.HELD: "stopped: needs a decision",
        Situation.IN_DOUBT: "stopped: may have been sent already",
        Situation.NO_ACCOUNT: "stopped: its account is gone or excluded",
        Situation.DELIVERED: "handed over to the provider",
        Situation.IN_INBOX: "put into the inbox",
        Situation.FAILED: "not delivered",
        Situation.PARTLY: "not delivered to all",
        Situation.DELETED: "deleted, not sent",
        Situation.PARTLY_DELETED: "not sent to all: the rest was deleted",
    },
    "de": {
        Situation.TURN: "wartet, bis sie an der Reihe ist",
        Situation.LATER: "geht ab {when} hinaus",
        Situation.RETRY: "wartet, nächster Versuch {when}",
        Situation.REFUSED_LOGIN: "wartet, bis das Konto wieder geht",
        Situation.PAUSED: "wartet: das Konto ist angehalten",
        Situation.DAY_FULL: "wartet auf morgen",
        Situation.CLOSED: "wartet bis {when}",
        Situation.ACTIVE: "wird gerade gesendet",
        Situation.HELD: "angehalten: jemand muss entscheiden",
        Situation.IN_DOUBT: "angehalten: vielleicht schon gesendet",
        Situation.NO_ACCOUNT: "angehalten: ihr Konto fehlt oder ist ausgenommen",
        Situation.DELIVERED: "an den Anbieter übergeben",
        Situation.IN_INBOX: "in den Posteingang gelegt",
        Situation.FAILED: "nicht zugestellt",
        Situation.PARTLY: "nicht an alle zugestellt",
        Situation.DELETED: "gelöscht, nicht gesendet",
        Situation.PARTLY_DELETED: "nicht an alle gesendet: der Rest wurde gelöscht",
    },
}
"""By the configuration's `language`. What German says of a mail is feminine: die E-Mail."""


_GREYLISTING: Final = re.compile("gr[ea]y.?list", re.IGNORECASE)
_TEMPORARY: Final = (
    Advice.MAILBOX_FULL,
    Advice.MAILBOX_CLOSED,
    Advice.RATE,
    Advice.UNREACHABLE,
    Advice.AUTHENTICATION,
    Advice.UNKNOWN_DOMAIN,
)
"""What may pass, in words that are true as long as it lasts."""
_CHECKED: Final = {
    "en": "The other side checks unknown senders first; this passes by itself",
    "de": "Die Gegenseite prüft unbekannte Absender zuerst; das geht von selbst vorbei",
}
_COME_AGAIN: Final = {
    "en": "The provider asks to try again later",
    "de": "Der Anbieter bittet, es später noch einmal zu versuchen",
}
_INBOX_STATUS: Final = "4.2.0"
"""Of an answer without a code: one of our own inboxes could not be written into (`relay/transports/maildir.py`)."""
_INBOX: Final = {"en": "The inbox can't be used: {reason}", "de": "Der Posteingang kann nicht benutzt werden"}
"""The reason is the system's, which has no German."""
_GIVEN_UP: Final = {
    "en": "Given up after several tries; the last one: {cause}",
    "de": "Nach mehreren Versuchen aufgegeben; beim letzten: {cause}",
}


def say_situation(situation: Situation, language: str, when: str = "") -> str:
    """Give the words for a situation in a language of the configuration; `when` is a time as people write it."""
    return _WORDS[language][situation].format(when=when)


def say_standing(standing: Standing, language: str, show_time: Callable[[int], str]) -> str:
    """Give the words for how a mail stands; `show_time` writes a time, given in milliseconds."""
    when = "" if standing.when is None else show_time(standing.when)
    return say_situation(standing.situation, language, when)


def say_cause(reply: Reply, language: str, *, is_over: bool = False) -> str:
    """Say in a layman's words what a reply means, without a full stop; where they lack, the provider's own, raw.

    `is_over`: nobody tries again; a reply that only asked to come later (4xx, or none) was then the last of several.
    """
    told = _cause(reply, language)
    return told if reply.is_permanent or not is_over else _GIVEN_UP[language].format(cause=told)


def say_delay(reply: Reply, language: str) -> str | None:
    """Say in a sentence what keeps a mail that is tried again; None where the words for a refusal are as true.

    Empty where there is nothing to say but what is quoted.
    """
    from relay.rules.answers.reading import choose_advice  # noqa: PLC0415 - as in _cause

    if reply.is_permanent or choose_advice(reply) in _TEMPORARY:
        return None
    if reply.code == 0:
        return ""
    return f"{(_CHECKED if _GREYLISTING.search(reply.text) else _COME_AGAIN)[language]}."


def _cause(reply: Reply, language: str) -> str:
    # A list of mails that all go their way is shown without the tables of answers and notices.
    from relay.rules.answers.connection_rows import explain_cause, read_cause  # noqa: PLC0415
    from relay.rules.answers.reading import choose_advice  # noqa: PLC0415
    from relay.rules.notice_texts import TEXTS  # noqa: PLC0415

    cause = read_cause(reply.text) if reply.code == 0 else None
    if cause is not None:
        return explain_cause(cause, language).what.removesuffix(".")
    if reply.code == 0 and reply.enhanced == _INBOX_STATUS:
        return _INBOX[language].format(reason=reply.text.removeprefix("inbox "))
    advice = choose_advice(reply)
    if not reply.is_permanent:
        if _GREYLISTING.search(reply.text):
            return _CHECKED[language]
        if advice not in _TEMPORARY:  # the words for these speak of a refusal
            return f"{_COME_AGAIN[language]}: {reply}" if reply.code else str(reply)
    return str(reply) if advice is Advice.OTHER else TEXTS[language].advice[advice].cause.removesuffix(".")
