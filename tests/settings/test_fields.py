import pytest

from relay.settings import fields


@pytest.mark.parametrize(
    ("read", "good", "bad"),
    [
        (fields.read_text, ["x", "ä b"], ["", " ", "a\nb", "a\x00", "a\u2028b", 5, None, "x" * 100_000]),
        (fields.read_flag, [True, False], [1, 0, "true", None]),
        (
            fields.read_user_name,
            ["anna", "a.b-c_1", "_x"],
            [".anna", "-x", "cur", "TMP", "a/b", "..", "Ä", "a b", "x" * 65, ""],
        ),
        (
            fields.read_name,
            ["Example Sales", "old shop", "a-b."],
            ["a/b", "a\\b", " a", "a ", "", "-a", "--", ".a", "ä" * 128],
        ),
        (fields.read_address, ["a@b.example", '"a b"@c.example'], ["a", "a@", "Anna <a@b.example>", 5]),
        (fields.read_environment_name, ["A", "a_1"], ["$A", "a b", "1a", ""]),
        (fields.read_header_name, ["Delivered-To", "X"], ["a b", "a:", "ä", ""]),
        (fields.read_leave, [True, False, "14 days"], ["x", 14, None]),
        (fields.read_period, ["Mon-Fri 07:00-19:00"], ["Mon", "07:00", ""]),
        (fields.read_timezone, ["Europe/Berlin", "UTC"], ["Berlin", "../etc/passwd", ""]),
        (fields.read_archive, [True, False, ["a@b.example"]], ["a@b.example", [], ["a"], [5], None]),
        (fields.read_command, ["pass show x", ["pass", "show x"]], ["", [], "'x", [5], 5, ["a\0b"]]),
        (
            fields.read_password_hash,
            ["$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAA"],
            ["hunter2", "$argon2i$v=19$m=8,t=1,p=1$a$b", 5],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_reader_takes_what_is_good_and_says_what_must_be(read, good: list[object], bad: list[object]) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - readers of many types
    for value in good:
        read(value)
    for value in bad:
        with pytest.raises(ValueError, match=r"."):
            read(value)
