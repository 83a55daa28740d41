import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.headers import find_values
from relay.rules.summary import summarise


def test_what_people_look_for_is_decoded() -> None:
    header = (
        b"Received: x\r\nFrom: =?utf-8?q?J=C3=BCrgen?=\r\n <j@x.example>\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n"
        b"Message-ID:\r\n <1@x.example>\r\n"
    )
    assert summarise(header) == ("<1@x.example>", "J\u00fcrgen <j@x.example>", "Gr\u00fc\u00dfe")
    assert summarise(b"") == ("", "", "")


@given(st.binary(max_size=300), st.binary(max_size=4000), st.integers(0, 4000))
def test_whatever_a_stranger_writes_is_bounded_and_one_line(name: bytes, value: bytes, repeat: int) -> None:
    body = value.replace(b"\n", b"") + name.replace(b"\n", b"") * (repeat // 100)
    for found in summarise(b"From: " + body + b"\r\nSubject: " + body + b"\r\nMessage-ID: <" + body + b">\r\n"):
        assert len(found) <= 1000
        assert "\n" not in found
        assert "\x00" not in found


lines = st.lists(
    st.tuples(
        st.sampled_from(
            [b"From", b"fROM ", b"Subject\t", b"SUBJECT", b"Message-ID", b"X-From", b" From", b"From\x00", b""]
        ),
        st.sampled_from([b":", b" :", b"", b"\r:"]),
        st.sampled_from(
            [b"", b" <a@b>", b" =?utf-8?q?=C3=BC?=", b" <a@b> <c@d>", b" x\r\n\ty", b" x\r\n z\r\n From: q", b"\xff"]
        ),
        st.sampled_from([b"\r\n", b"\r\n", b"\n"]),
    ),
    max_size=6,
)


@given(lines)
def test_a_field_is_what_it_is_to_the_rules(several: list[tuple[bytes, ...]]) -> None:
    block = b"".join(map(b"".join, several))
    plain = [(name, value) for name in ("from", "subject", "message-id") for value in find_values(block, name)]
    assert summarise(block) == summarise(b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in plain))


def test_a_subject_is_for_people() -> None:
    assert summarise(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?_an_alle?=\r\n").subject == "Grüße an alle"
    assert summarise(b"Subject: a\x1b[31mb\x00\r\n").subject == "a [31mb"
    assert summarise("Subject: a\u202egpj.exe =?utf-8?q?=E2=80=AE=E2=81=A6b?=\r\n".encode()).subject == "agpj.exe b"
    assert summarise(b"Subject: \xe4\r\n").subject == "ä"
    assert summarise(b"From: x\r\n").subject == ""
    assert len(summarise(b"Subject: " + b"x" * 5000 + b"\r\n").subject) == 120


@pytest.mark.parametrize(
    ("field", "expected"),
    [(b"<a@b>", "<a@b>"), (b"a@b", ""), (b"  <a@b> (x)", "<a@b>"), (b"<a b>", ""), (b"<" + b"x" * 1000 + b">", "")],
)
def test_a_message_id_has_brackets(field: bytes, expected: str) -> None:
    assert summarise(b"Message-ID: " + field + b"\r\n").header_message_id == expected
