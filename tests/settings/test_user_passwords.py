from typing import Any, Final

from relay.settings.document import Table
from relay.settings.login_sources import LENIENT, STRICT, Lenience
from relay.settings.user_passwords import (
    NOBODY,
    check_passwords,
    find_lost_passwords,
    find_password_commands,
    without_blank,
)

DOCUMENT: Final[dict[str, Any]] = {
    "listener": [{"require_auth": True}],
    "user": [{"name": "anna", "password_hash": ""}, {"name": "b c", "password_hash": ""}, {"name": "d"}],
}
ROOT = Table(content=DOCUMENT)


def test_an_empty_password_is_named_with_its_command() -> None:
    assert [*find_password_commands(ROOT)] == [
        (("user", 0, "password_hash"), "relay user password anna"),
        (("user", 1, "password_hash"), "relay user password 'b c'"),
    ]
    assert without_blank(DOCUMENT)["user"] == [{"name": "anna"}, {"name": "b c"}, {"name": "d"}]
    whole = {"user": [{"name": "anna", "password_hash": "x"}]}
    assert without_blank(whole) is whole


def test_only_one_that_was_empty_before_may_be() -> None:
    before = [*find_lost_passwords(Table(content={**DOCUMENT, "user": DOCUMENT["user"][:1]}))]
    for lenience, warnings in ((STRICT, [False, False]), (LENIENT, [False, False]), (Lenience(before), [True, False])):
        assert [one.warning for one in check_passwords(ROOT, lenience)] == warnings


def test_that_nobody_has_one_matters_where_a_login_is_wanted() -> None:
    users = [{"name": "anna"}]
    assert [*find_lost_passwords(Table(content={**DOCUMENT, "user": users}))] == [NOBODY]
    assert [*find_lost_passwords(Table(content={"user": users, "listener": [{}]}))] == []
