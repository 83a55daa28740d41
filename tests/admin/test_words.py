from zoneinfo import ZoneInfo

from relay.admin.words import fold, show_moment, show_size, show_span, show_time


def test_times_spans_and_sizes_are_for_people() -> None:
    assert show_time(None, None) == ""
    assert show_time(0, None) == "at once"
    assert len(show_time(1_780_000_000_000, None)) == 19
    assert show_moment(1_780_000_000_000, ZoneInfo("Europe/Berlin")) == "2026-05-28 22:26:40 CEST"
    assert (show_moment(None, None), show_moment(0, None)) == ("", "at once")
    assert [show_span(ms) for ms in (0, 999, 61_000, 90_061_000)] == ["0 s", "0 s", "1 min 1 s", "1 d 1 h"]
    assert [show_size(n) for n in (0, 1023, 1536, 5 << 20)] == ["0 B", "1023 B", "1.5 KiB", "5.0 MiB"]


def test_a_command_is_not_broken_so_that_it_can_be_copied() -> None:
    text = 'Sign in again with "relay account authorize anna". See `relay status -v`. Then: relay account test anna'
    assert fold(text, 30) == [
        "Sign in again with",
        '"relay account authorize anna".',
        "See `relay status -v`. Then:",
        "relay account test anna",
    ]
    assert fold("a\x1b[31m b", 80) == ["a\\u001b[31m b"]
