"""The words for how a mail stands, in German and in English, for readers who know nothing of mail servers.

Both tables are complete; a test proves it. A cause is told in the words of the notices, so that all say the same.
"""

from collections.abc import Callable, Mapping
from typing import Final

from relay.model.reply import Reply
from relay.rules.causes import explain_cause, read_cause
from relay.rules.notice_advice import Advice, FailureReason, choose_advice
from relay.rules.notice_texts import TEXTS
from relay.rules.states import Grade, Situation, Standing

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


_GRADES: Final[Mapping[str, Mapping[Grade, str]]] = {
    "en": {Grade.FINE: "fine", Grade.WATCH: "watch", Grade.NEEDS_YOU: "needs you"},
    "de": {Grade.FINE: "in Ordnung", Grade.WATCH: "beobachten", Grade.NEEDS_YOU: "braucht Sie"},
}


def say_situation(situation: Situation, language: str, when: str = "") -> str:
    """Give the words for a situation in a language of the configuration; `when` is a time as people write it."""
    return _WORDS[language][situation].format(when=when)


def say_standing(standing: Standing, language: str, show_time: Callable[[int], str]) -> str:
    """Give the words for how a mail stands; `show_time` writes a time, given in milliseconds."""
    when = "" if standing.when is None else show_time(standing.when)
    return say_situation(standing.situation, language, when)


def say_grade(grade: Grade, language: str) -> str:
    """Give the word for a grade."""
    return _GRADES[language][grade]


def say_cause(reply: Reply, language: str) -> str:
    """Say in a layman's words what a reply means, without a full stop; else give the provider's own words, raw."""
    cause = read_cause(reply.text) if reply.code == 0 else None
    if cause is not None:
        return explain_cause(cause, language).what.removesuffix(".")
    advice = choose_advice(reply, FailureReason.REFUSED)
    return str(reply) if advice is Advice.OTHER else TEXTS[language].advice[advice].cause.removesuffix(".")
