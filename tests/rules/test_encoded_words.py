from email.header import decode_header, make_header

from hypothesis import given
from hypothesis import strategies as st

from relay.rules.encoded_words import CONTROL, decode_words, encode_words


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
