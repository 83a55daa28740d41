import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.oauth_answers import (
    DeviceCode,
    Meaning,
    Refusal,
    Tokens,
    read_device_code,
    read_tokens,
    refresh_margin,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**18).map(str)
    | st.integers().map(str)
    | st.floats()
    | st.floats().map(str)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["access_token", "refresh_token", "expires_in", "token_type", "scope", "error", "error_description",
     "device_code", "user_code", "verification_uri", "interval", "refresh_token_expires_in", "id_token"]
)  # fmt: skip
ANY = st.dictionaries(KEYS, JSON)
GIVEN = st.builds(
    dict.__or__, ANY, st.fixed_dictionaries({"access_token": st.just("sesame"), "token_type": st.just("Bearer")})
)
ANSWERS = (ANY | GIVEN).map(json.dumps).map(str.encode) | st.binary(max_size=50)


def answer(**keys: object) -> bytes:
    return json.dumps(keys).encode()


def test_tokens_and_how_long_they_live() -> None:
    body = answer(
        access_token="sesame-1", refresh_token="sesame-2", expires_in="3599", token_type="Bearer", scope="a b"
    )
    tokens = read_tokens(200, body)
    assert isinstance(tokens, Tokens)
    assert (tokens.access, tokens.refresh, tokens.life, tokens.scopes) == ("sesame-1", "sesame-2", 3599, ("a", "b"))
    assert "sesame" not in repr(tokens)
    kept = read_tokens(200, answer(access_token="x", expires_in=True))
    assert isinstance(kept, Tokens)
    assert (kept.refresh, kept.life, kept.scopes) == (None, 3600, ())


@pytest.mark.parametrize(
    ("said", "life"),
    [
        *((0, 10), (-5, 10), ("0", 10), ("-1", 10), (0.7, 10), (3599.9, 3599), (1e300, 604_800), ("60", 60)),
        *((None, 3600), ("soon", 3600), (float("nan"), 3600), (float("inf"), 3600), (True, 3600), ([], 3600)),
    ],
)
def test_a_token_that_ends_at_once_is_soon_refreshed_and_not_all_the_time(said: object, life: int) -> None:
    tokens = read_tokens(200, answer(access_token="x", expires_in=said, refresh_expires_in=said))
    assert isinstance(tokens, Tokens)
    assert tokens.life == life
    assert tokens.renewal_life >= 0


@given(st.sampled_from([200, 302, 400, 401, 429, 500, 503]), ANSWERS)
def test_any_answer_is_one_of_the_three(status: int, body: bytes) -> None:
    for found in (read_tokens(status, body), read_device_code(status, body)):
        if isinstance(found, Refusal):
            assert str(found).isprintable()
            assert len(str(found)) < 400
            if not 400 <= status < 500:
                assert found.meaning is Meaning.FOR_NOW
        elif isinstance(found, Tokens):
            assert found.access.isascii()
            assert found.access.isprintable()
            assert " " not in found.access
            assert 10 <= found.life <= 7 * 86_400 or found.life in range(1, 10)
            assert 0 <= found.renewal_life <= 10 * 366 * 86_400
            assert found.refresh is None or found.refresh.isascii()
        else:
            assert 1 <= found.interval <= 60
            assert 1 <= found.life <= 7 * 86_400


@pytest.mark.parametrize(
    ("status", "error", "meaning"),
    [
        (400, "invalid_grant", Meaning.ENDED),
        (400, "interaction_required", Meaning.ENDED),
        (400, "expired_token", Meaning.ENDED),
        (500, "invalid_grant", Meaning.FOR_NOW),
        (429, "invalid_grant", Meaning.FOR_NOW),
        (503, "temporarily_unavailable", Meaning.FOR_NOW),
        (400, "temporarily_unavailable", Meaning.FOR_NOW),
        (400, "something_new", Meaning.FOR_NOW),
        (401, "invalid_client", Meaning.APP),
        (400, "unauthorized_client", Meaning.APP),
        (400, "invalid_scope", Meaning.APP),
        (400, "authorization_pending", Meaning.PENDING),
        (400, "slow_down", Meaning.SLOW_DOWN),
    ],
)
def test_only_what_says_so_ends_a_login(status: int, error: str, meaning: Meaning) -> None:
    found = read_tokens(status, answer(error=error))
    assert isinstance(found, Refusal)
    assert found.meaning is meaning


def test_who_asked_microsoft_too_often_has_lost_nothing() -> None:
    said = "AADSTS50196: The server terminated an operation because it encountered a client request loop."
    for status in (400, 429):
        found = read_tokens(status, answer(error="invalid_grant", error_description=said))
        assert isinstance(found, Refusal)
        assert (found.meaning, found.is_definite, found.text) == (Meaning.FOR_NOW, False, said)


def test_microsofts_words_without_its_traces() -> None:
    said = "AADSTS700082: The refresh token has expired.\r\nTrace ID: 0-0 Correlation ID: 1-1"
    found = read_tokens(400, answer(error="invalid_grant", error_description=said))
    assert str(found) == "invalid_grant: AADSTS700082: The refresh token has expired."


def test_words_that_are_too_many_are_none() -> None:
    for most in (" " * 9000, "Trace ID:" * 1000, "AADSTS700082" + "x" * 8000):
        found = read_tokens(400, answer(error="invalid_grant", error_description=most))
        assert isinstance(found, Refusal)
        assert (str(found), found.meaning) == ("invalid_grant", Meaning.ENDED)


def test_the_last_of_two_keys_counts_and_whatever_it_is_one_answer_comes_of_it() -> None:
    found = read_tokens(200, b'{"access_token": "a", "access_token": "b", "expires_in": "x", "expires_in": 60}')
    assert isinstance(found, Tokens)
    assert (found.access, found.life) == ("b", 60)


@pytest.mark.parametrize(
    "body",
    [
        *(b"[" * 250_000, b'{"a":' * 50_000, b'{"access_token": "a", "expires_in": ' + b"9" * 250_000 + b"}"),
        *(b"", b"<html>", b"[]", b"[" * 9999, answer(access_token="a b"), answer(access_token=1)),
        *(answer(access_token="a", token_type="mac"), answer(access_token="a\r\nb")),
    ],
)
def test_what_makes_no_sense_is_tried_again(body: bytes) -> None:
    found = read_tokens(200, body)
    assert isinstance(found, Refusal)
    assert found.meaning is Meaning.FOR_NOW


def test_a_code_for_a_device() -> None:
    good = {"device_code": "sesame", "user_code": "ABCD-EFGH", "verification_uri": "https://h.example/device"}
    code = read_device_code(200, answer(**good, interval=7))
    assert isinstance(code, DeviceCode)
    assert (code.user_code, code.page, code.interval, code.life) == ("ABCD-EFGH", "https://h.example/device", 7, 900)
    assert "sesame" not in repr(code)
    waits = {10**12: 60, 60.5: 60, 0: 5, -1: 5, "7": 7}
    for said, interval in waits.items():
        slow = read_device_code(200, answer(**good, interval=said))
        assert isinstance(slow, DeviceCode)
        assert slow.interval == interval
    pages = ("http://127.0.0.1/", "https://microsoft.com@evil.example/", "https://a:b@h.example/", "http://h.example/")
    for page in pages:
        found = [
            read_device_code(200, answer(**{**good, "verification_uri": page}), plain=one) for one in (False, True)
        ]
        assert [isinstance(one, DeviceCode) for one in found] == [False, page == pages[0]]
    for wrong in ({"verification_uri": "javascript:x"}, {"user_code": "a\x1b[2J"}, {"device_code": ""}):
        assert isinstance(read_device_code(200, answer(**{**good, **wrong})), Refusal)


def test_a_token_is_refreshed_before_its_end() -> None:
    assert (refresh_margin(3600), refresh_margin(1200), refresh_margin(300), refresh_margin(2)) == (600, 600, 150, 1)
