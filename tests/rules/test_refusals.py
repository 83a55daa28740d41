import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.address import Address
from relay.model.reply import Reply
from relay.rules.refusal_texts import Part, Refused
from relay.rules.refusals import (
    LONGEST_LINE,
    MOST_LINES,
    refuse,
    refuse_address,
    refuse_size,
    say,
    show_address,
    speak,
    to_ascii,
    write_lines,
)
from tests.rules.test_refusal_texts import placeholders

_MIB = 1 << 20
_LINE = re.compile(r"[45][0-9]{2}[- ][45]\.[0-9]+\.[0-9]+ [ -~]*")


@given(kind=st.sampled_from(Refused), language=st.sampled_from(("de", "en")), foreign=st.text(max_size=3000))
def test_whatever_a_client_says_each_line_is_ascii_short_and_has_the_codes(
    kind: Refused, language: str, foreign: str
) -> None:
    facts = dict.fromkeys(placeholders(kind.words.english), foreign)
    spoken = speak(refuse(kind, **facts), language)
    lines = write_lines(spoken)
    code, enhanced = kind.code, kind.enhanced
    for n, line in enumerate(lines):
        assert _LINE.fullmatch(line)
        assert len(line) + 2 <= LONGEST_LINE == 512  # RFC 5321 section 4.5.3.1.5, with CRLF
        assert line.startswith(f"{code}{' ' if n == len(lines) - 1 else '-'}{enhanced} ")
    assert len(lines) <= (2 if language == "de" else 1) * MOST_LINES


@given(part=st.sampled_from(Part), foreign=st.text(max_size=3000))
def test_parts_of_sentences_are_as_harmless(part: Part, foreign: str) -> None:
    facts = dict.fromkeys(placeholders(part.value.english), foreign)
    reply = refuse(Refused.RESTRICTED, why=say(part, **facts))
    assert all(len(line) + 2 <= LONGEST_LINE and line.isascii() for line in write_lines(speak(reply, "de")))


@given(st.text(max_size=3000), st.sampled_from(("de", "en")))
def test_a_text_of_any_length_is_spoken_in_bounded_lines(text: str, language: str) -> None:
    lines = write_lines(speak(Reply(code=550, enhanced="5.7.1", text=text, german=text), language))
    assert len(lines) <= 2 * MOST_LINES
    assert all(len(line) + 2 <= LONGEST_LINE and line.isascii() and line.isprintable() for line in lines)


def test_german_stands_first_and_english_offices_get_none() -> None:
    reply = refuse(Refused.EXCLUDED, account="Büro")
    assert write_lines(speak(reply, "de")) == [
        "550-5.7.1 Das Konto Buero ist vom Maildienst ausgenommen",
        "550 5.7.1 The account Buero is excluded from the service",
    ]
    assert write_lines(speak(reply, "en")) == ["550 5.7.1 The account Buero is excluded from the service"]


def test_a_long_sentence_is_parted_between_words() -> None:
    reply = Reply(code=550, enhanced="5.7.1", text="word " * 150)
    first, last = write_lines(speak(reply, "en"))
    assert first.endswith("word")
    assert last.startswith("550 5.7.1 word")
    assert len(write_lines(speak(Reply(code=550, enhanced="5.7.1", text="x" * 5000), "en"))) == MOST_LINES


@pytest.mark.parametrize(
    ("size", "most", "said"),
    [
        (58 * _MIB - 5, 50 * _MIB, "at most 50 MiB are taken, this mail has 58"),
        (50 * _MIB + 1, 50 * _MIB, "at most 50 MiB are taken, this mail has 51"),
        (80 * _MIB, 75 * _MIB, "höchstens 75 MiB, diese hat 80"),
        (2 * _MIB, 3 * _MIB // 2, "höchstens 1,5 MiB, diese hat 2"),
        (5000, 1024, "at most 1 KiB are taken, this mail has 5"),
        (101, 100, "at most 100 octets are taken, this mail has 101"),
        (None, 50 * _MIB, "at most 50 MiB are taken"),
    ],
)
def test_sizes_are_told_as_people_read_them(size: int | None, most: int, said: str) -> None:
    reply = refuse_size(size, most=most)
    assert said in f"{reply.text} {reply.german}"
    assert reply.code == 552


def test_the_providers_limit_is_the_providers() -> None:
    reply = refuse_size(30 * _MIB, most=20 * _MIB, by_provider=True)
    assert reply.text == "The provider takes at most 20 MiB, this mail has 30"
    assert (
        reply.german
        == "Die E-Mail ist zu groß: Der Anbieter nimmt höchstens 20 MiB, diese hat 30. Verkleinern Sie die Anhänge"
    )


def test_an_address_is_named_so_that_it_is_no_other_one() -> None:
    assert show_address(Address(local="müller", domain="müller.example")) == r"m\x{FC}ller@xn--mller-kva.example"
    assert len(show_address(Address(local="a" * 64, domain="b" * 200))) < 110
    assert show_address(None) == "None"


def test_whose_address_is_bad_decides_the_enhanced_code() -> None:
    sender = refuse_address(Part.SENDER, "has a bad domain")
    assert (sender.enhanced, sender.text) == ("5.1.7", "The sender's address has a bad domain")
    recipient = refuse_address(Part.RECIPIENT, "has a bad domain")
    assert recipient.enhanced == "5.1.3"
    assert recipient.german == "Die Adresse des Empfängers ist hinter dem @ falsch geschrieben"


def test_letters_are_spelled_in_ascii() -> None:
    assert to_ascii("Größe Ärger Übel Öl ẞ é 中 \t") == "Groesse Aerger Uebel Oel SS e ? ?"
