"""A mail names its charsets, and no name that a stranger invents comes as far as Python."""

import codecs
import encodings
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.charsets import _CODECS, _NAMES, CONTROL, decode_words, encode_words, find_codec, load_codecs
from relay.rules.content import read_content
from relay.rules.disguise import find_disguised


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("UTF-8", "utf-8"), ("utf8", "utf-8"), ("US-ASCII", "ascii"), ("us", "ascii"), ("ANSI_X3.4-1968", "ascii"),
     ("iso-8859-1", "iso8859-1"), ("ISO_8859-1", "iso8859-1"), ("iso8859-1", "iso8859-1"), ("latin1", "iso8859-1"),
     ("l1", "iso8859-1"), ("csISOLatin1", "iso8859-1"), ("iso-8859-15", "iso8859-15"), ("latin-9", "iso8859-15"),
     ("ISO-8859-8-I", "iso8859-8"), ("windows-1252", "cp1252"), ("CP1252", "cp1252"), ("windows-874", "cp874"),
     ("koi8-r", "koi8-r"), ("KOI8-U", "koi8-u"), ("gb2312", "gb2312"), ("GBK", "gbk"), ("gb18030", "gb18030"),
     ("Big5", "big5"), ("euc-jp", "euc-jp"), ("EUC-KR", "euc-kr"), ("ks_c_5601-1987", "euc-kr"),
     ("Shift_JIS", "shift-jis"), ("x-sjis", "shift-jis"), ("Windows-31J", "cp932"), ("ISO-2022-JP", "iso2022-jp"),
     ("macintosh", "mac-roman")],
)  # fmt: skip
def test_what_programs_write_is_known(charset: str, codec: str) -> None:
    assert find_codec(charset) == codec


@pytest.mark.parametrize("codec", _NAMES)
def test_each_codec_is_there_and_decodes_any_octets(codec: str) -> None:
    assert "a@b" in bytes([*b"a@b ", *range(0x80, 0x100)]).decode(codec, "replace")


def test_no_name_stands_for_two_charsets() -> None:
    names = [name for names in _NAMES.values() for name in names.split()]
    assert len(names) == len(set(names))
    assert {name: find_codec(name) for name in names} == {
        name: codec for codec, names in _NAMES.items() for name in names.split()
    }


@pytest.mark.parametrize(
    "charset", ["", "utf-7", "unicode-1-1-utf-7", "utf-16", "utf-16be", "utf-16le", "utf-32", "punycode", "idna",
                "rot13", "cp037", "cp1", "utf-8 ", "../utf-8", "x" * 10_000]
)  # fmt: skip
def test_any_other_name_is_none(charset: str) -> None:
    assert find_codec(charset) is None


def test_names_that_a_stranger_invents_are_not_kept() -> None:
    """Python keeps each name that it has looked for, and whether there was a codec, for as long as it runs."""
    before = len(encodings._cache)
    for n in range(200):
        for charset in (f"cp9{n}x", f"iso-8859-9{n}", f"mac{n}x", f"euc_{n}", f"windows-9{n}x", f"gbx{n}", f"koi8-{n}"):
            word = f"=?{charset}?q?a?="
            assert decode_words(word) == word
            list(find_disguised([f"{word}@b.example".encode()], []))
            assert read_content(f"Content-Type: a/b; name*={charset}''x\r\n".encode()) is not None
            assert read_content(f'Content-Type: a/b; name="{word}"\r\n'.encode()) is not None
    assert len(encodings._cache) == before


def test_all_codecs_can_be_loaded_before_they_are_needed() -> None:
    load_codecs()
    assert all("decode" in dir(codecs.lookup(codec)) for codec in set(_CODECS.values()))


def test_python_codecs_that_are_no_charsets_are_left_alone() -> None:
    for charset in ("punycode", "idna", "unicode_escape", "rot13", "zlib", "undefined"):
        word = f"=?{charset}?q?abc=5C?="
        assert decode_words(word) == word


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_a_text_survives_being_encoded_and_decoded(text: str) -> None:
    words = encode_words(text)
    assert all(len(word) <= 75 for word in words)
    assert decode_words(b"\r\n ".join(words).decode()) == " ".join(CONTROL.sub(" ", text).split())


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=100))
def test_the_standard_library_reads_what_is_encoded(text: str) -> None:
    assert str(make_header(decode_header(b"\r\n ".join(encode_words(text)).decode()))) == text


@given(st.text(max_size=200))
def test_decoded_text_has_no_control_characters(text: str) -> None:
    assert CONTROL.search(decode_words(text)) is None
