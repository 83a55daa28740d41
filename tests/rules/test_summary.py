from hypothesis import given
from hypothesis import strategies as st

from relay.rules.summary import LONGEST_ID, summarise


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
