"""The charsets of mail, a fixed set of names with Python's codec for each, and encoded words (RFC 2047).

A name that stands in a mail is never given to Python itself: it would look for a codec of that name on the disk, and
keep the answer for as long as the process lives. Some of its codecs (punycode, idna) take hours for a long word, too.

UTF-7 and UTF-16 are left out on purpose, so that what says it is in one of them is not decoded. No mail program writes
either in a header; readers agree neither on whether UTF-7 counts, nor on the order of octets in UTF-16 without a mark.
"""

import base64
import binascii
import codecs
import re
from typing import Final


def load_codecs() -> None:
    """Load all codecs from the disk: a process that gives up its rights may not be able to do that any more."""
    for codec in _NAMES:
        codecs.lookup(codec)


def find_codec(charset: str) -> str | None:
    """Give the name of Python's codec for a charset as a mail names it (IANA's names, and what programs write)."""
    return _CODECS.get(charset.lower()) if len(charset) <= _LONGEST else None


def decode_octets(raw: bytes, charset: str = "utf-8") -> str:
    """Decode what should be in a charset, by default UTF-8; what is not is read as Latin-1. Never raises."""
    try:
        return raw.decode(find_codec(charset) or "utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


# The spellings of these that differ in hyphens are added below.
_NAMES: Final[dict[str, str]] = {
    "ascii": "us-ascii ascii us iso646-us iso_646.irv:1991 ansi_x3.4-1968 ansi_x3.4-1986 iso-ir-6 cp367 ibm367 csascii",
    "utf-8": "utf-8 utf8 csutf8 unicode-1-1-utf-8 x-unicode-2-0-utf-8",
    "iso8859-1": "iso-8859-1 latin1 l1 iso_8859-1:1987 iso-ir-100 cp819 ibm819 csisolatin1",
    "iso8859-2": "iso-8859-2 latin2 l2 iso_8859-2:1987 iso-ir-101 csisolatin2",
    "iso8859-3": "iso-8859-3 latin3 l3 iso_8859-3:1988 iso-ir-109 csisolatin3",
    "iso8859-4": "iso-8859-4 latin4 l4 iso_8859-4:1988 iso-ir-110 csisolatin4",
    "iso8859-5": "iso-8859-5 cyrillic iso_8859-5:1988 iso-ir-144 csisolatincyrillic",
    "iso8859-6": "iso-8859-6 arabic iso_8859-6:1987 iso-ir-127 iso-8859-6-e iso-8859-6-i csisolatinarabic",
    "iso8859-7": "iso-8859-7 greek greek8 iso_8859-7:1987 iso-ir-126 ecma-118 elot_928 csisolatingreek",
    "iso8859-8": "iso-8859-8 hebrew iso_8859-8:1988 iso-ir-138 iso-8859-8-e iso-8859-8-i csiso88598i csisolatinhebrew",
    "iso8859-9": "iso-8859-9 latin5 l5 iso_8859-9:1989 iso-ir-148 csisolatin5",
    "iso8859-10": "iso-8859-10 latin6 l6 iso_8859-10:1992 iso-ir-157 csisolatin6",
    "iso8859-11": "iso-8859-11",
    "iso8859-13": "iso-8859-13 latin7 l7",
    "iso8859-14": "iso-8859-14 latin8 l8 iso_8859-14:1998 iso-ir-199 iso-celtic",
    "iso8859-15": "iso-8859-15 latin9 latin-9 l9 csiso885915",
    "iso8859-16": "iso-8859-16 latin10 l10 iso_8859-16:2001 iso-ir-226",
    "cp437": "cp437 ibm437 437 cspc8codepage437",
    "cp850": "cp850 ibm850 850 cspc850multilingual",
    "cp852": "cp852 ibm852 852 cspcp852",
    "cp855": "cp855 ibm855 855",
    "cp858": "cp858 cp00858 ibm00858 pc-multilingual-850+euro",
    "cp862": "cp862 ibm862 862 dos-862",
    "cp866": "cp866 ibm866 866 csibm866",
    "cp874": "windows-874 cp874 x-windows-874 dos-874",
    "koi8-r": "koi8-r koi8 koi koi8_r cskoi8r",
    "koi8-u": "koi8-u koi8-ru koi8_u",
    "mac-roman": "macintosh mac macroman x-mac-roman csmacintosh",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian maccyrillic",
    "mac-latin2": "x-mac-ce x-mac-centraleurroman maccentraleurope",
    "mac-greek": "x-mac-greek macgreek",
    "mac-turkish": "x-mac-turkish macturkish",
    "tis-620": "tis-620 tis620",
    "gb2312": "gb2312 gb_2312-80 gb2312-80 euc-cn x-euc-cn iso-ir-58 chinese csgb2312 csiso58gb231280",
    "gbk": "gbk x-gbk cp936 ms936 windows-936 csgbk",
    "gb18030": "gb18030 csgb18030",
    "hz": "hz-gb-2312 hz",
    "big5": "big5 big-5 big5-tw x-x-big5 csbig5",
    "cp950": "cp950 ms950 windows-950",
    "big5-hkscs": "big5-hkscs big5hkscs hkscs",
    "euc-jp": "euc-jp eucjp x-euc-jp x-euc extended_unix_code_packed_format_for_japanese cseucpkdfmtjapanese",
    "shift-jis": "shift_jis shift-jis shiftjis sjis x-sjis x-shift-jis ms_kanji csshiftjis",
    "cp932": "windows-31j cp932 ms932 windows-932 x-ms-cp932 cswindows31j",
    "iso2022-jp": "iso-2022-jp csiso2022jp",
    "iso2022-jp-1": "iso-2022-jp-1",
    "iso2022-jp-2": "iso-2022-jp-2 csiso2022jp2",
    "iso2022-jp-3": "iso-2022-jp-3",
    "iso2022-jp-2004": "iso-2022-jp-2004",
    "iso2022-jp-ext": "iso-2022-jp-ext",
    "euc-kr": "euc-kr euckr x-euc-kr ks_c_5601-1987 ks_c_5601-1989 ks_c_5601 ksc5601 ksc_5601 iso-ir-149 korean cseuckr"
    " csksc56011987",
    "cp949": "cp949 ms949 uhc windows-949 x-windows-949",
    "johab": "johab cp1361 ms1361",
    "iso2022-kr": "iso-2022-kr csiso2022kr",
    **{f"cp{n}": f"windows-{n} windows{n} cp{n} cp-{n} x-cp{n} ms{n} win-{n} cswindows{n}" for n in range(1250, 1259)},
}
_CODECS: Final = {
    spelling: codec
    for codec, names in _NAMES.items()
    for name in names.split()
    for spelling in {
        name,
        name.replace("-", "_"),
        name.replace("_", "-"),
        name.replace("iso-8859", "iso8859"),
        name.replace("iso-8859", "iso_8859"),
        name.replace("iso-8859-", "8859-"),
        name.replace("iso-8859-", "iso-8859"),
        name.replace("iso-8859-", "iso8859"),
        name.replace("latin", "latin-"),
        name.replace("latin", "iso-latin-"),
        name.replace("iso-2022", "iso2022"),
    }
}
_LONGEST: Final = max(map(len, _CODECS))


CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
"""Characters that no decoded text keeps."""
ENCODED_WORD: Final = re.compile(r"=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?\s]*)\?=")
"""Charset, encoding and content; a language (RFC 2231) is passed over."""
_BETWEEN: Final = re.compile(r"(=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=)[ \t\r\n]+(?==\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=)")
_ENCODED_OCTETS: Final = 45


def decode_words(text: str) -> str:
    """Decode encoded words (RFC 2047) anywhere in a text; the result has no control characters and single spaces."""
    if "=?" in text:
        text = ENCODED_WORD.sub(_decode_word, _BETWEEN.sub(r"\1", text))
    return " ".join(CONTROL.sub(" ", text).split())


def _decode_word(match: re.Match[str]) -> str:
    word = decode_word(match[1], match[2], match[3])
    return match[0] if word is None else word


def decode_word(charset: str, encoding: str, content: str) -> str | None:
    """Decode what stands in an encoded word (`b` or `q`); None where the charset is none of mail, or it is broken."""
    codec = find_codec(charset)
    if codec is None:
        return None
    try:
        if encoding in "bB":
            raw = base64.b64decode(content + "=" * (-len(content) % 4))
        else:
            raw = binascii.a2b_qp(content.replace("_", "=20").encode("latin-1", "replace"))
        return raw.decode(codec, "replace")
    except ValueError:
        return None


def encode_words(text: str, most: int = _ENCODED_OCTETS) -> list[bytes]:
    """Encode a text as encoded words in UTF-8 and base64, each of at most `most` octets before it is encoded.

    By default a word has at most 75 characters (RFC 2047 section 2).
    """
    words, part = [], b""
    for char in text:
        octets = char.encode()
        if len(part) + len(octets) > most:
            words.append(part)
            part = b""
        part += octets
    words.append(part)
    return [b"=?utf-8?b?" + base64.b64encode(word) + b"?=" for word in words]
