import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.outcome import Verdict
from relay.model.reply import Reply
from relay.rules.replies import LONGEST_TEXT, is_login_refused, outcome_of, read_reply, too_many_recipients


@pytest.mark.parametrize(
    ("code", "lines", "enhanced", "text"),
    [
        (250, [b"2.1.0 OK"], "2.1.0", "OK"),
        (250, [b"OK"], "", "OK"),
        (550, [b"5.7.1 not yours", b"5.7.1 see https://help.example"], "5.7.1", "not yours\nsee https://help.example"),
        (550, [b"4.7.1 of another class"], "", "4.7.1 of another class"),
        (550, [b"5.7.1"], "5.7.1", ""),
        (550, [b"5.7.1x"], "", "5.7.1x"),
        (550, [b"5.7.1234 x"], "", "5.7.1234 x"),
        (451, [b""], "", ""),
        (550, [b"\xe4\x1b[31m\x00"], "", "ä?[31m?"),
        (550, ["ä".encode()], "", "ä"),
    ],
)
def test_replies_are_read(code: int, lines: list[bytes], enhanced: str, text: str) -> None:
    assert read_reply(code, lines) == Reply(code=code, enhanced=enhanced, text=text)


@given(code=st.integers(200, 599), lines=st.lists(st.binary(max_size=100), max_size=50))
def test_any_reply_is_short_and_harmless(code: int, lines: list[bytes]) -> None:
    reply = read_reply(code, lines)
    assert len(reply.text) <= LONGEST_TEXT
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\ud800-\udfff]", reply.text)
    assert not reply.enhanced or reply.enhanced.startswith(str(code)[0])
    assert "\n" not in str(reply)


@given(st.integers(0, 999))
def test_only_2xx_delivers_and_only_5xx_bounces(code: int) -> None:
    verdict = outcome_of(Reply(code=code)).verdict
    assert (verdict is Verdict.DELIVERED) == (200 <= code < 300)
    assert (verdict is Verdict.BOUNCED) == (500 <= code < 600)


def test_replies_with_a_meaning_of_their_own() -> None:
    assert is_login_refused(Reply(code=535))
    assert is_login_refused(Reply(code=530))
    assert not is_login_refused(Reply(code=550))
    assert too_many_recipients(Reply(code=452, enhanced="4.5.3"))
    assert too_many_recipients(Reply(code=451, enhanced="4.5.3"))
    assert not too_many_recipients(Reply(code=451, enhanced="4.7.1"))
