"""German that holds no English, English that holds no German, and neither holds words of computer science.

Whatever people read of the service is gathered here: notices, refusals, states, causes, findings, the archive's note.
A word that both languages use stands in the list below, with care: it is there since Germans say it, too.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from enum import Enum

import pytest

from relay.rules import notice_texts, refusal_texts, state_words, tiff
from relay.rules.answers.reading import all_rows
from relay.rules.answers.sign_in import MICROSOFT_ROWS
from relay.rules.answers.sign_in_rows import STANDARD_ROWS
from relay.value import Value
from relay.watching import texts as findings

BOTH = frozenset(
    """
    administrator admin an app auth browser ca_file client_id client_secret code com connections connector dkim dmarc e
    entra exchange flow form format google host icloud imap in internet link links mail mails messages_per_minute minute
    microsoft name oauth office organisation pdf pem person pop port powershell recipients_per_day relay rest
    secret_expires security server sha smtp so spam spf starttls tenant text tls toml user username was will zoho
    """.split()  # noqa: SIM905 - a list of words reads best so
)
"""Words that may stand in both: those that Germans say, too, names of keys, and words that only look alike (`was`)."""
SCIENCE = frozenset(
    """
    bounce bounced bouncen timeout header headers envelope payload daemon socket thread host hosts request
    client clients octet octets oktett oktette bytes encoding parser token backend default null string boolean
    syntax semantik protokollfehler transaktion instanz konfigurieren parameter domain domains dekodieren
    kodiert anlage aufgeben zwischenspeicher warteschlange mta mx dsn relayen relais envelope-from retry
    """.split()  # noqa: SIM905 - see above
)
_QUOTED = re.compile(r'"[^"]*"|„[^“]*“|\{[a-z_]+\}|-----BEGIN CERTIFICATE-----|\[[a-z0-9.]+\]|\([a-z]+_[a-z_]+\)')
"""Commands, keys and names, which are quoted or in braces, are no words of a language."""
_WORD = re.compile(r"[A-Za-zÄÖÜäöüß][A-Za-zÄÖÜäöüß_]*")

Pairs = Iterator[tuple[str, str, str]]
"""Where, in German, in English."""


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Give each text in a table, whatever it is made of, with its place."""
    if isinstance(value, Enum) or value is None or callable(value):
        return
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Value):
        for name in value.defaults:
            yield from _texts(getattr(value, name), f"{place}.{name}")
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _texts(getattr(value, field.name), f"{place}.{field.name}")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(one, f"{place}.{key}")


def _both(name: str, german: object, english: object) -> Pairs:
    told = dict(_texts(english, name))
    for place, text in _texts(german, name):
        yield place, text, told.get(place, "")


def _all() -> Pairs:
    tables = notice_texts.TEXTS
    yield from _both("notice", tables["de"], tables["en"])
    for begin, own in notice_texts.OWN_CAUSES.items():
        yield f"own cause {begin}", own["de"], own["en"]
    for row in all_rows():
        if row.german is not None:
            yield from _both(f"answer {row.name}", row.german, row.english)
    for row in (*MICROSOFT_ROWS, *STANDARD_ROWS):
        yield from _both(f"sign-in {row.name}", row.german, row.english)
    yield from _both("state", state_words._WORDS["de"], state_words._WORDS["en"])
    for sentence in (state_words._CHECKED, state_words._COME_AGAIN, state_words._GIVEN_UP):
        yield "why it waits", sentence["de"], sentence["en"]
    for kind in refusal_texts.Refused:
        yield f"refusal {kind}", kind.words.german, kind.words.english
    for part in refusal_texts.Part:
        yield f"refusal {part}", part.value.german, part.value.english
    for english, german in refusal_texts.ADDRESS_FAULTS.items():
        yield f"refusal {english}", german, english
    for table in (tiff._TEXTS, tiff._ENCODED, tiff._NAMELESS):
        yield "the archive's note", table["de"], table["en"]
    yield from _both("finding", findings.LANGUAGES["de"], findings.LANGUAGES["en"])


ALL = [(place, german, english) for place, german, english in _all() if not place.endswith(".date")]


def words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(_QUOTED.sub(" ", text))}


GERMAN = set[str]().union(*(words(german) for _, german, _ in ALL))
ENGLISH = set[str]().union(*(words(english) for _, _, english in ALL))


def test_everything_is_said_in_both_languages() -> None:
    assert len(ALL) > 250
    assert [place for place, german, english in ALL if bool(german) != bool(english)] == []


@pytest.mark.parametrize(("place", "german"), [(place, german) for place, german, _ in ALL])
def test_german_holds_no_english_and_no_computer_science(place: str, german: str) -> None:
    assert words(german) & ENGLISH - BOTH == set(), place
    if not place.endswith(".advice"):  # of a technical cause: for administrators, with the keys of the configuration
        assert words(german) & SCIENCE == set(), place


@pytest.mark.parametrize(("place", "english"), [(place, english) for place, _, english in ALL])
def test_english_holds_no_german(place: str, english: str) -> None:
    assert words(english) & GERMAN - BOTH == set(), place
    assert not re.search("[äöüßÄÖÜ„]", english), place


def test_german_is_typographic_and_polite() -> None:
    for place, german, _ in ALL:
        assert not re.search(r"\b(?:du|dich|dir|dein\w*)\b", german), place
        if place.startswith("notice"):
            assert '"' not in german, place
