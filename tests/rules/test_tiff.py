import base64
import email
import hashlib
import time
from collections import Counter
from collections.abc import Callable
from email.message import EmailMessage, Message
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.rules.content import MOST_NAME, MOST_PARAMETERS
from relay.rules.mime import MOST_DELIMITERS, MOST_DEPTH, MOST_HEADER
from relay.rules.tiff import MOST_HELD, RemovedTiff, TiffStripper

TIFF = b"II*\0\x08\0\0\0" + bytes(range(256)) * 3
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 2
MIXED = b'From: scanner@example.com\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'


def strip(
    header: bytes, body: bytes, *, cuts: list[int] | None = None, language: str = "en"
) -> tuple[TiffStripper, bytes]:
    stripper = TiffStripper(header, language=language)
    out = b"".join(stripper.feed(body[start:stop]) for start, stop in pairwise([0, *(cuts or []), len(body)]))
    return stripper, out + stripper.close()


def split(message: Message | bytes) -> tuple[bytes, bytes]:
    raw = message if isinstance(message, bytes) else message.as_bytes()
    header, _, body = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
    return header + b"\r\n", body


def leaves(header: bytes, body: bytes) -> list[tuple[str, str | None, bytes]]:
    """Give what the standard library sees: type, file name and decoded octets of each leaf."""
    found = []
    for part in email.message_from_bytes(header + b"\r\n" + body).walk():
        if not part.is_multipart():
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            found.append((part.get_content_type(), part.get_filename(), payload))
    return found


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def scan(*attachments: tuple[str, str, bytes]) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "scanner@example.com"
    message["Subject"] = "Scan from the 2nd floor"
    message.set_content("Please find the scan attached.\n")
    for kind, name, data in attachments:
        maintype, _, subtype = kind.partition("/")
        message.add_attachment(data, maintype=maintype, subtype=subtype, filename=name)
    return message


def nested() -> EmailMessage:
    message = scan(("image/tiff", "deep.tif", TIFF))
    message.clear()
    message["From"] = "anna@example.com"
    message.set_content("Text")
    message.add_alternative("<p>Text <img src='cid:x'></p>", subtype="html")
    html = message.get_payload(1)
    assert isinstance(html, EmailMessage)
    html.add_related(TIFF, "image", "tiff", cid="<x>")
    message.add_attachment(PDF, maintype="application", subtype="pdf", filename="a.pdf")
    return message


def forwarded() -> EmailMessage:
    message = scan()
    message.add_attachment(scan(("image/tiff", "inner.tif", TIFF), ("application/pdf", "a.pdf", PDF)))
    return message


def forwarded_single() -> EmailMessage:
    inner = EmailMessage()
    inner["Subject"] = "only a scan"
    inner.set_content(TIFF, maintype="image", subtype="tiff", filename="inner.tif")
    message = scan()
    message.add_attachment(inner)
    return message


@pytest.mark.parametrize(
    ("message", "names"),
    [
        pytest.param(scan(("image/tiff", "scan.tif", TIFF)), ["scan.tif"], id="scanner"),
        pytest.param(
            scan(
                ("image/tiff", "1.tif", TIFF), ("application/pdf", "a.pdf", PDF), ("image/tiff", "2.tif", TIFF + b"2")
            ),
            ["1.tif", "2.tif"],
            id="two and a PDF",
        ),
        pytest.param(scan(("application/octet-stream", "SCAN0001.TIF", b"no magic")), ["SCAN0001.TIF"], id="by name"),
        pytest.param(scan(("application/octet-stream", "data.bin", TIFF)), ["data.bin"], id="by magic"),
        pytest.param(scan(("application/octet-stream", "x", b"MM\0*" + PDF)), ["x"], id="Motorola's byte order"),
        pytest.param(scan(("application/octet-stream", "x", b"II+\0" + PDF)), ["x"], id="BigTIFF"),
        pytest.param(scan(("application/octet-stream", "x", b"MM\0+")), ["x"], id="BigTIFF, Motorola, nothing more"),
        pytest.param(scan(("image/x-tiff", "fax", b"no magic")), ["fax"], id="by type"),
        pytest.param(scan(("image/tiff", "empty.tif", b"")), ["empty.tif"], id="empty"),
        pytest.param(
            scan(("image/tiff", "Übersicht für Müller.tiff", TIFF)), ["Übersicht für Müller.tiff"], id="umlauts"
        ),
        pytest.param(nested(), [""], id="inline in an alternative"),
        pytest.param(forwarded(), ["inner.tif"], id="forwarded"),
        pytest.param(forwarded_single(), ["inner.tif"], id="forwarded mail that is one TIFF"),
    ],
)
def test_only_the_tiffs_are_gone(message: EmailMessage, names: list[str]) -> None:
    header, body = split(message)
    stripper, out = strip(header, body)
    assert stripper.changed
    assert stripper.header == header
    assert [tiff.name for tiff in stripper.removed] == names
    removed = {tiff.sha256: tiff for tiff in stripper.removed}
    before, after = leaves(header, body), leaves(header, out)
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        tiff = removed.get(sha256(old[2]))
        if tiff is None:
            assert new == old
        else:
            assert tiff.size == len(old[2])
            assert new[0] == "text/plain"
            name, size, digest = new[2].decode().splitlines()
            assert name == f"Attachment removed: {tiff.name or '(no file name)'}"
            assert (size, digest) == (f"Size: {tiff.size} bytes", f"SHA-256: {tiff.sha256}")
            removed_bytes = base64.b64encode(old[2])[:40]
            assert not removed_bytes or removed_bytes not in out
    assert out.isascii()
    assert max(map(len, out.split(b"\r\n"))) <= 998


def test_every_other_octet_stays() -> None:
    before = b"preamble \xff\r\n--b\r\nSubject:  odd   spaces\r\n\r\n8 bit: \xe4\r\n--b \r\n"
    part = b"X-Number: 1\r\nContent-Type: image/tiff;\r\n name=a.tif\r\nContent-ID: <1@x>\r\n\r\nII*\0\r\n\r\n"
    after = b"\r\n--b\r\ncontent-type: application/pdf\r\n\r\n\0\x01\r\n\r\n\r\n--b--  \r\nepilogue"
    stripper, out = strip(MIXED, before + part + after)
    assert stripper.removed == (RemovedTiff(name="a.tif", size=8, sha256=sha256(b"II*\0\r\n\r\n")),)
    assert out == (
        before
        + b"X-Number: 1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n"
        + b"Content-ID: <1@x>\r\n\r\n"
        + f"Attachment removed: a.tif\r\nSize: 8 bytes\r\nSHA-256: {sha256(bytes(part[-8:]))}\r\n".encode()
        + after
    )


def test_the_whole_mail_is_a_tiff() -> None:
    header = (
        b"From: a@example.com\r\nContent-Type: image/tiff;\r\n\tname=scan.tif\r\nSubject: Scan\r\n"
        b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\nContent-MD5: x\r\n"
        b"MIME-Version: 1.0\r\n"
    )
    stripper, out = strip(header, base64.encodebytes(TIFF).replace(b"\n", b"\r\n"))
    assert stripper.changed
    assert stripper.header == (
        b"From: a@example.com\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n"
        b"Subject: Scan\r\nMIME-Version: 1.0\r\n"
    )
    assert out.startswith(b"Attachment removed: scan.tif\r\nSize: 776 bytes\r\n")
    assert sha256(TIFF).encode() in out


def test_the_whole_mail_is_a_tiff_by_magic() -> None:
    header = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
    assert strip(header, base64.b64encode(TIFF))[0].header != header
    assert strip(header, base64.b64encode(PDF))[0].header == header


def test_german() -> None:
    header, body = split(scan(("image/tiff", "Größe.tif", TIFF)))
    _, out = strip(header, body, language="de")
    text = leaves(header, out)[1][2].decode()
    assert text == f"Anhang entfernt: Größe.tif\r\nGröße: {len(TIFF)} Byte\r\nPrüfsumme (SHA-256): {sha256(TIFF)}\r\n"
    assert out.isascii()


def part(head: bytes, body: bytes) -> bytes:
    return b"--b\r\n" + head + b"\r\n\r\n" + body + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Type: image/tiff",
        b"Content-Type: IMAGE/Tif; x=y",
        b"Content-Type: image/tiff-fx",
        b"Content-Type: application/x-tiff",
        b"Content-Disposition: attachment; filename=a.TiF",
        b'Content-Disposition: attachment;\r\n filename="a b.tiff "',
        b"Content-Disposition: attachment; filename*=utf-8''a%2etif",
        b"Content-Disposition: attachment; filename*0=a.t; filename*1=if",
        b'Content-Type: text/plain; name="=?utf-8?B?w5xiZXIudGlm?="',
        b"Content-Type: a/b; name=a.tif\r\nContent-Disposition: attachment; filename=a.pdf",
        b'Content-Type: a/b; name="\xdcber.tif"',
    ],
)
def test_type_or_name_suffices(field: bytes) -> None:
    assert strip(MIXED, part(field, b"anything"))[0].removed[0].size == 8


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"7bit", b"II*\0..."),
        (b"quoted-printable", b"I=\r\nI=2A=00=00"),
        (b"base64", b"S\r\nU k\r\n*qAA=="),
        (b"base64", b"!" * (MOST_HELD - 8) + b"SUkqAAAA"),
    ],
)
def test_magic_suffices(encoding: bytes, body: bytes) -> None:
    whole = part(b"Content-Transfer-Encoding: " + encoding, body)
    assert strip(MIXED, whole)[0].changed
    assert strip(MIXED, whole, cuts=list(range(len(whole))))[0].changed


@pytest.mark.parametrize(
    "whole",
    [
        part(b"Content-Type: application/pdf; name=tif.pdf", b"%PDF II*\0"),
        part(b"Content-Transfer-Encoding: base64", b"!" * (MOST_HELD - 7) + b"SUkqAAAA"),
        part(b"Content-Type: a/b\r\nContent-Transfer-Encoding: x-uuencode", b"begin 644 a.tif\r\n"),
        part(b"X: y", b"begin 644 a.tif\r\n"),
        part(b"Content-Type: application/ms-tnef; name=winmail.dat", b"\x78\x9f\x3e\x22a.tif"),
        part(b"Content-Type: multipart/signed; boundary=c; name=a.tif", b"--c\r\nContent-Type: image/tiff\r\n\r\nx"),
        part(b"Content-Type: multipart/encrypted; boundary=c", b"--c\r\nContent-Type: image/tiff\r\n\r\nx"),
        part(b"Content-Type: application/x-pkcs7-mime; name=a.tif", b"II*\0"),
        part(b"Content-Type: message/rfc822; name=a.tif", b"Subject: x\r\n\r\nII*"),
        part(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64", base64.b64encode(b"II*\0")),
        part(b"Content-Type: image/tiff\r\nno field", b"II*\0"),
        b"--b\r\nContent-Type: image/tiff\r\n--b--\r\n",
        b"II*\0 in the preamble\r\n--b--\r\n",
    ],
)
def test_what_stays(whole: bytes) -> None:
    stripper, out = strip(MIXED, whole)
    assert (stripper.changed, stripper.removed, stripper.header) == (False, (), MIXED)
    assert out == whole


MESSAGES = [b"--b\r\n", *[b"Content-Type: message/rfc822\r\n\r\n"] * (MOST_DEPTH + 1), b"\r\n--b--\r\n"]
ONE = b"--b\r\nContent-Type: image/tiff\r\n\r\nII*\0\r\n"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(part(b"Content-Type: application/pgp-signature", b"x"), id="a detached PGP signature"),
        pytest.param(part(b"Content-Type: application/x-pkcs7-signature", b"x"), id="a detached S/MIME signature"),
        pytest.param(part(b"X: y", b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256"), id="clear-signed text"),
        pytest.param(part(b"X: y", b"Hello,\r\n-----BEGIN PGP MESSAGE-----\r\n"), id="encrypted text"),
        pytest.param(
            part(b"Content-Transfer-Encoding: base64", base64.b64encode(b"Hi\n-----BEGIN PGP MESSAGE-----\n")),
            id="encrypted text in base64",
        ),
        pytest.param(b"--b\r\n\r\n" * MOST_DELIMITERS, id="more parts than any mail has"),
        pytest.param(
            part(b"Content-Transfer-Encoding: base64", b"SUkqAA==\r\nAnd a footer"),
            id="a TIFF by what programs decode in different ways",
        ),
        pytest.param(part(b"Content-Type: multipart/signed; boundary=c", b"--c\r\n\r\nx"), id="a signed mail in it"),
        pytest.param(part(b"Content-Type: multipart/encrypted; boundary=c", b"--c\r\n\r\nx"), id="an encrypted one"),
        pytest.param(part(b"Content-Type: application/pkcs7-mime", b"x"), id="S/MIME"),
        pytest.param(part(b"Content-Type: message/rfc822; name=a.P7M", b"X: y\r\n\r\nx"), id="a mail by a signed name"),
        pytest.param(part(b"Content-Type: text/html", b"<pre>\r\n-----BEGIN PGP SIGNATURE-----"), id="armour in HTML"),
        pytest.param(part(b"X: " + b"x" * MOST_HEADER, b"x"), id="a header longer than any mail has"),
        pytest.param(part(b"Content-Type: a/b" + b"; a=b" * (MOST_PARAMETERS + 1), b"x"), id="parameters"),
        pytest.param(part(b"Content-Type: a/b; name=" + b"x" * (MOST_NAME + 1), b"x"), id="a long name"),
        pytest.param(part(b"Content-Type: multipart/x; boundary=" + b"x" * 300, b"x"), id="a long boundary"),
        pytest.param(b"".join(MESSAGES), id="mails in mails deeper than any mail has"),
        *(
            pytest.param(part(b"Content-Disposition: attachment; filename=" + name, b"x"), id=name.decode())
            for name in (b"smime.p7s", b"a.P7M", b"a.asc", b"a.sig", b"a.pgp", b"a.pdf.gpg", b"signature.ASC")
        ),
    ],
)
def test_a_mail_that_must_be_archived_whole(other: bytes) -> None:
    body = ONE + other
    for cuts in ([], [len(ONE)], list(range(0, len(body), 7))):
        stripper, _ = strip(MIXED, body, cuts=cuts)
        assert (stripper.changed, stripper.removed, stripper.header) == (False, (), MIXED)


def test_a_signature_before_the_tiff_keeps_it() -> None:
    body = part(b"X: y", b"-----BEGIN PGP SIGNED MESSAGE-----").removesuffix(b"--b--\r\n") + ONE
    stripper, out = strip(MIXED, body)
    assert not stripper.changed
    assert out == body


def test_a_quoted_signature_is_none() -> None:
    body = part(b"X: y", b"> -----BEGIN PGP SIGNED MESSAGE-----").removesuffix(b"--b--\r\n") + ONE
    assert strip(MIXED, body)[0].changed


@pytest.mark.parametrize("field", [b"Content-Type: image/tiff", b"Content-Disposition: attachment; filename=a.tif"])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"x-uuencode", b"begin 644 a.tif\r\n"),
        (b"x-\x1b\xff" + b"x" * 50, b"anything"),
        (b"base64", b"QUI=\r\nAnd a footer"),
        (b"quoted-printable", b"a==41"),
    ],
)
@pytest.mark.parametrize("language", ["en", "de"])
def test_what_says_that_it_is_a_tiff_goes_though_it_can_not_be_decoded(
    field: bytes, encoding: bytes, body: bytes, language: str
) -> None:
    whole = part(field + b"\r\nContent-Transfer-Encoding: " + encoding, body)
    stripper, out = strip(MIXED, whole, language=language)
    (tiff,) = stripper.removed
    assert (tiff.size, tiff.sha256) == (len(body), sha256(body))
    assert tiff.encoding.startswith(encoding[:2].decode())
    assert len(tiff.encoding) < 50
    text = leaves(MIXED, out)[0][2].decode()
    odd = "in einer Form, die sich nicht lesen ließ ("
    said = {"en": f"Size: {len(body)} bytes, encoded (", "de": f"Größe: {len(body)} Byte, {odd}"}[language]
    assert said in text
    assert text.isprintable() or set(text) - {"\r", "\n"} == set(filter(str.isprintable, text))
    assert body not in out
    assert strip(MIXED, whole, cuts=list(range(len(whole))), language=language)[1] == out


def test_a_name_cannot_break_out_of_the_text() -> None:
    name = b"filename*=utf-8''a%0D%0A--b%0D%0A%1b%E2%80%AE" + b"x" * 300 + b".tif"
    stripper, out = strip(MIXED, part(b"Content-Disposition: attachment; " + name, b"x"))
    assert stripper.removed[0].name.startswith("a??--b????xxx")
    assert len(stripper.removed[0].name) == 203
    assert out.count(b"--b\r\n") == 1


def test_the_tiff_goes_on_to_the_end_of_a_mail_that_was_cut_off() -> None:
    _, out = strip(MIXED, b"--b\r\nContent-Type: image/tiff\r\n\r\nII*\0 and then")
    assert out.startswith(b"--b\r\nContent-Type: text/plain")
    assert out.endswith(b"\r\n")


FRAGMENTS = [
    b"--b\r\n",
    b"--b--\r\n",
    b"--bX\r\n",
    b"--c\r\n",
    b"--c--\r\n",
    b"--b \t\r\n",
    b"\r\n",
    b"\r\n--b",
    b"\r\n--b\r\n\r\n",
    b"text\r\n",
    b"II*\0abc\r\n",
    b"SUkqAAgAAAAA\r\n",
    b"II=2A=00=\r\n",
    b"Content-Type: image/tiff\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n",
    b"Content-Disposition: attachment; filename=a.p7s\r\n",
    b"\r\n--b\r\nContent-Type: image/tiff\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=c\r\n\r\n",
    b"Content-Type: multipart/digest;\r\n boundary=bX\r\n\r\n",
    b"Content-Type: multipart/signed; boundary=c\r\n\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Disposition: attachment; filename=a.TIF\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(b"".join), st.data())
def test_broken_mails(body: bytes, data: st.DataObject) -> None:
    stripper, out = strip(MIXED, body)
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=8).map(sorted))
    for again, pieces in (strip(MIXED, body, cuts=cuts), strip(MIXED, body, cuts=list(range(len(body))))):
        assert (again.changed, again.removed, again.header) == (stripper.changed, stripper.removed, stripper.header)
        assert pieces == out or not stripper.changed
    if not stripper.changed:
        return
    before = Counter((kind, octets.rstrip()) for kind, _, octets in leaves(MIXED, body))
    after = Counter((kind, octets.rstrip()) for kind, _, octets in leaves(stripper.header, out))
    assert before.total() == after.total()
    assert (before - after).total() <= len(stripper.removed)


CONTENTS = st.tuples(
    st.sampled_from(["image/tiff", "application/pdf", "application/octet-stream", "text/x-log"]),
    st.sampled_from(["a.tif", "b.TIFF", "ü.tif", "c.pdf", "tif"]),
    st.one_of(st.just(TIFF), st.just(PDF), st.binary(max_size=200)),
)


@settings(max_examples=60)
@given(st.lists(CONTENTS, max_size=4), st.lists(CONTENTS, max_size=2), st.integers(1, 5000))
def test_the_standard_library_sees_the_same_parts(
    outer: list[tuple[str, str, bytes]], inner: list[tuple[str, str, bytes]], size: int
) -> None:
    message = scan(*outer)
    message.add_attachment(scan(*inner))
    header, body = split(message)
    stripper, out = strip(header, body, cuts=list(range(size, len(body), size)))
    expected = []
    for kind, name, data in leaves(header, body):
        is_tiff = (
            kind == "image/tiff"
            or (name or "").lower().endswith((".tif", ".tiff"))
            or data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
        )
        expected.append(sha256(data) if is_tiff else (kind, name, data))
    hashes = iter(stripper.removed)
    found = [
        next(hashes).sha256 if octets.startswith(b"Attachment removed") else (kind, name, octets)
        for kind, name, octets in leaves(header, out)
    ]
    assert found == expected
    assert stripper.changed or out == body


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_nothing_raises(header: bytes, body: bytes) -> None:
    _, out = strip(header, body)
    strip(b"Content-Type: image/tiff\r\nContent-Transfer-Encoding: base64\r\n", body)
    strip(b"Content-Type: image/tiff\r\nContent-Transfer-Encoding: quoted-printable\r\n", body)
    assert isinstance(out, bytes)


BASE64 = b"Content-Type: image/tiff\r\nContent-Transfer-Encoding: base64"
CHUNK = 262_144


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(part(BASE64, b"QUJD" * 18 + b"\r\n" * 60_000), id="empty lines"),
        pytest.param(part(BASE64, base64.encodebytes(bytes(6_000_000)).replace(b"\n", b"\r\n")), id="a large TIFF"),
        pytest.param(part(BASE64, b"Q" * 8_000_000), id="one line"),
        pytest.param(part(BASE64, b"=" * 8_000_000), id="only padding"),
        pytest.param(part(BASE64, b"\r\n--bX" * 1_300_000), id="look-alikes"),
        pytest.param(b"--b\r\n" * 1_600_000, id="delimiters"),
        pytest.param(b"--b\r\n\r\n" * 1_100_000, id="parts"),
        pytest.param(b"--b\r\n" + b"X: y\r\n" * 1_300_000, id="an endless header"),
        pytest.param((b"--b\r\n" + b"X: y\r\n" * 10_000 + b"\r\n") * 130, id="long headers"),
        pytest.param((b"--b\r\nContent-Type: a/b" + b'\r\n ;a="\\";' * 5_900 + b"\r\n\r\n") * 120, id="parameters"),
        pytest.param(b"--b\r\nContent-Type: image/tiff\r\n\r\n\r\n--b" + b" " * 8_000_000, id="padding of a delimiter"),
    ],
)
def test_a_hostile_mail_costs_little_time_and_memory(body: bytes, show_figure: Callable[[str], None]) -> None:
    stripper = TiffStripper(MIXED, language="en")
    worst, began = 0.0, time.perf_counter()
    for start in range(0, len(body), CHUNK):
        before = time.perf_counter()
        stripper.feed(body[start : start + CHUNK])
        worst = max(worst, time.perf_counter() - before)
        assert len(stripper._reader._data) < 70_000
    stripper.close()
    total = time.perf_counter() - began
    show_figure(f"{len(body) / total / 1e6:.0f} MB/s, at most {worst * 1000:.1f} ms for a chunk")
    assert total < 5  # a quadratic step would take minutes
