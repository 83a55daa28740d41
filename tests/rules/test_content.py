import base64
import binascii
import email
import re
import time
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.content import (
    MOST_BOUNDARY,
    MOST_NAME,
    MOST_PARAMETERS,
    Content,
    Decoder,
    _unquote,
    make_decoder,
    read_content,
)


def read(*lines: str) -> Content:
    content = read_content("".join(f"{line}\r\n" for line in lines).encode())
    assert content is not None
    return content


def decode(encoding: str, body: bytes, size: int = 1 << 30) -> tuple[bytes, Decoder]:
    decoder = make_decoder(encoding)
    assert decoder is not None
    pieces = [decoder.feed(body[i : i + size]) for i in range(0, len(body), size)]
    return b"".join(pieces) + decoder.close(), decoder


def test_an_empty_header_is_a_plain_text() -> None:
    assert read() == Content(type="text/plain", encoding="7bit")
    assert read_content(b"", "message/rfc822") == Content(type="message/rfc822", encoding="7bit")


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (['Content-Disposition: attachment; filename="scan 1.tif"'], ("scan 1.tif",)),
        (["Content-Disposition: attachment; filename=scan 1.TIF ; size=12"], ("scan 1.TIF",)),
        (["Content-Type: image/x; NAME=a.tif", "Content-Disposition: inline; FileName=b.pdf"], ("b.pdf", "a.tif")),
        (["Content-Type: image/x;", '\tname="folded', ' name.tif"'], ("folded name.tif",)),
        (["Content-Disposition: attachment; filename*=UTF-8''%C3%9Cbersicht.tif"], ("Übersicht.tif",)),
        (["Content-Disposition: attachment; filename*=iso-8859-1'de'%DCbersicht.tif"], ("Übersicht.tif",)),
        (
            ["Content-Disposition: attachment; filename*1*=%C3%9Cber; filename*2=sicht.tif; filename*0*=utf-8''Die%20"],
            ("Die Übersicht.tif",),
        ),
        (["Content-Disposition: attachment; filename*0=long; filename*1=.tif; filename*3=.pdf"], ("long.tif",)),
        (['Content-Type: image/x; name="=?UTF-8?Q?=C3=9Cber_sicht.tif?="'], ("Über sicht.tif",)),
        (["Content-Type: image/x; name==?iso-8859-1?B?3GJlci50aWY=?="], ("Über.tif",)),
        (["Content-Type: image/x;", ' name="=?utf-8?q?a?=', ' =?utf-8?q?b.tif?="'], ("ab.tif",)),
        ([r'Content-Type: image/x; name="a \"quoted\" \\ one.tif"'], (r'a "quoted" \ one.tif',)),
        (['Content-Type: image/x; name="Übersicht.tif"'], ("Übersicht.tif",)),
        (['Content-Type: image/x; name="never closed.tif'], ("never closed.tif",)),
        (["Content-Type: image/x; name="], ()),
        (["Content-Type: image/x; xname=a.tif; filename=b.tif"], ()),
        (["Content-Type: image/x; name=first.tif; name=second.tif"], ("first.tif",)),
        (["Content-Type: image/x; name*=no-such-charset''a%FF.tif"], ("a\xff.tif",)),
        (["Content-Type: image/x; name*=unicode_escape''a%5Cq.tif"], (r"a\q.tif",)),
    ],
)
def test_names(lines: list[str], names: tuple[str, ...]) -> None:
    assert read(*lines).names == names


def test_a_name_in_latin_1_octets() -> None:
    content = read_content(b'Content-Type: image/x; name="\xdcbersicht.tif"\r\n')
    assert content is not None
    assert content.names == ("Übersicht.tif",)


@pytest.mark.parametrize(
    ("value", "boundary"),
    [
        ("multipart/mixed; boundary=abc", b"abc"),
        ('Multipart/Mixed ;\r\n BOUNDARY="a;b c"', b"a;b c"),
        ('multipart/mixed; charset="x"; boundary = "abc  "', b"abc"),
        ("multipart/mixed (comment); boundary=abc; boundary=def", b"abc"),
        ("multipart/mixed; boundary*=us-ascii'en'a%20b", b"a b"),
        ("multipart/mixed; boundary*0=abc; boundary*1=def", b"abcdef"),
        ("multipart/mixed; boundary*=us-ascii''a%0D%0Ab", None),
        ("multipart/mixed; boundary=", None),
        ("multipart/mixed", None),
        ("multipart/mixed; boundary=" + "x" * (MOST_BOUNDARY + 1), None),
        ("multipart/mixed" + "; a=b" * MOST_PARAMETERS + "; boundary=abc", None),
        ("text/plain; boundary=abc", None),
    ],
)
def test_boundaries(value: str, boundary: bytes | None) -> None:
    assert read(f"Content-Type: {value}").boundary == boundary


@pytest.mark.parametrize(
    ("field", "excessive"),
    [
        ("Content-Type: a/b" + "; a=b" * MOST_PARAMETERS, False),
        ("Content-Type: a/b" + "; a=b" * (MOST_PARAMETERS + 1), True),
        ("Content-Disposition: x" + "".join(f"; filename*{n % 1000}=x" for n in range(MOST_PARAMETERS + 1)), True),
        ("Content-Type: a/b; name=" + "x" * MOST_NAME, False),
        ("Content-Type: a/b; name=" + "x" * (MOST_NAME + 1), True),
        ("Content-Type: multipart/x; boundary=" + "x" * MOST_BOUNDARY, False),
        ("Content-Type: multipart/x; boundary=" + "x" * (MOST_BOUNDARY + 1), True),
    ],
)
def test_what_no_mail_has_is_excessive(field: str, excessive: bool) -> None:
    assert read(field).is_excessive is excessive


@pytest.mark.parametrize(
    ("field", "sealed"),
    [
        ("Content-Type: Multipart/Signed; boundary=b", True),
        ("Content-Type: application/x-pkcs7-signature", True),
        ("Content-Disposition: attachment; filename*=utf-8''smime%2EP7S", True),
        ('Content-Type: text/plain; name="a.txt.asc "', True),
        ("Content-Type: text/plain; name=asc", False),
        ("Content-Type: text/plain; name=a.asc.txt", False),
    ],
)
def test_what_is_signed_or_encrypted_says_so_by_type_or_name(field: str, sealed: bool) -> None:
    assert read(field).is_sealed is sealed


def test_type_and_encoding_are_the_first_ones_in_lower_case() -> None:
    content = read(
        "Subject: image/tiff",
        "CONTENT-TYPE : Image/TIFF",
        "content-transfer-encoding: BASE64 (as always)",
        "Content-Type: text/html",
    )
    assert (content.type, content.encoding, content.is_leaf) == ("image/tiff", "base64", True)


@pytest.mark.parametrize(
    "block",
    [
        b"Content-Type: image/tiff\r\nno field\r\n",
        b" starts folded\r\n",
        b": no name\r\n",
        b"X: bare\rreturn\r\n",
        b"no line end: x",
    ],
)
def test_a_header_with_a_line_that_is_no_field_says_nothing(block: bytes) -> None:
    assert read_content(block) is None


@given(st.binary(max_size=300))
def test_no_header_raises(block: bytes) -> None:
    read_content(block)
    read_content(b"Content-Type: " + block.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n")


@given(st.text(alphabet="ab;=\"\\'*%?_01 üqB.", max_size=60))
def test_no_parameter_raises(text: str) -> None:
    content = read_content(f"Content-Type: multipart/x; {text}\r\nContent-Disposition: x;name{text}\r\n".encode())
    assert content is not None


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30))
def test_names_that_the_email_package_writes(name: str) -> None:
    message = Message()
    message.add_header("Content-Disposition", "attachment", filename=("utf-8", "", name))
    block = message.as_bytes().replace(b"\n", b"\r\n").removesuffix(b"\r\n")
    content = read_content(block)
    assert content is not None
    assert content.names == (name,)


@given(st.text(alphabet='\\"a \u0301', max_size=40))
def test_quoted_pairs_are_what_was_quoted(text: str) -> None:
    assert _unquote(text) == re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


@pytest.mark.parametrize("pair", [b'\\"', b"\\\\", b"\\a"])
def test_a_header_full_of_quoted_pairs_takes_little_time(pair: bytes) -> None:
    """A step for each pair took more than a tenth of a second for what a mail's header may hold."""
    header = b'Content-Type: image/png; name*1="' + pair * 127_000 + b'"\r\n'
    times = []
    for _ in range(5):
        begun = time.process_time()
        read_content(header)
        times.append(time.process_time() - begun)
    assert min(times) < 0.05


def test_base64() -> None:
    assert decode("base64", b"QUJD\r\nREU=\r\n")[0] == b"ABCDE"
    assert decode("base64", b"!Q U\0J*D\xff")[0] == b"ABC"
    assert decode("base64", b"QUJDREU")[0] == b"ABCDE"
    assert decode("base64", b"QUJDR")[0] == b"ABC"
    assert decode("base64", b"=")[0] == b""


@pytest.mark.parametrize(
    ("body", "damaged"), [(b"QUI=\r\n==!", False), (b"QUI=QUI=", True), (b"QUI=\r\n-- \r\nx", True)]
)
def test_characters_after_the_padding_are_damage(body: bytes, damaged: bool) -> None:
    for size in (1, 3, 100):
        decoded, decoder = decode("base64", body, size)
        assert (decoded, decoder.damaged) == (b"AB", damaged)


def test_a_doubled_escape_is_damage() -> None:
    for size in (1, 3, 100):
        assert decode("quoted-printable", b"a==41", size)[1].damaged
        assert not decode("quoted-printable", b"a=\r\n=41", size)[1].damaged


@given(st.binary(max_size=300), st.sampled_from([b"\r\n", b" ", b"\r\n*"]), st.integers(1, 40))
def test_base64_gives_back_what_was_encoded(data: bytes, junk: bytes, size: int) -> None:
    encoded = base64.encodebytes(data).replace(b"\n", junk)
    assert decode("base64", encoded, size)[0] == data


@given(st.binary(max_size=300), st.integers(1, 40))
def test_quoted_printable_gives_back_what_was_encoded(data: bytes, size: int) -> None:
    encoded = binascii.b2a_qp(data, istext=False).replace(b"\n", b"\r\n")
    assert decode("quoted-printable", encoded, size)[0] == data


@given(st.text(alphabet="AB=4 _", max_size=40).map(str.encode), st.integers(1, 5))
def test_decoding_does_not_depend_on_the_pieces(body: bytes, size: int) -> None:
    for encoding in ("base64", "quoted-printable", "8bit"):
        whole, one = decode(encoding, body)
        pieces, many = decode(encoding, body, size)
        assert one.damaged == many.damaged
        assert one.damaged or whole == pieces


@given(st.text(alphabet="AB4 _\r\n", max_size=40).map(lambda text: text.replace("\r", "=\r\n").encode()))
def test_quoted_printable_decodes_as_the_email_package_does(body: bytes) -> None:
    message = email.message_from_bytes(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + body)
    assert decode("quoted-printable", body, 3)[0] == message.get_payload(decode=True)


def test_other_encodings_are_not_decoded() -> None:
    assert make_decoder("x-uuencode") is None
