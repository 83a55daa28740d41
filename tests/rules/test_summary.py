from hypothesis import given
from hypothesis import strategies as st

from relay.rules.headers import find_values, show_sender, subject_text
from relay.rules.summary import LONGEST_ID, summarise
from relay.rules.trace import message_id_of


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
        assert len(found) <= LONGEST_ID
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
    sender = find_values(block, "from")
    assert summarise(block) == (
        message_id_of(block), show_sender(sender[0]) if sender else "", subject_text(block),
    )  # fmt: skip
