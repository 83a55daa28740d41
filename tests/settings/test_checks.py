"""What parts of the configuration say of each other; `bad/` has a file for each error in words."""

from typing import Any

import pytest

from relay.settings.checks import check_document
from relay.settings.document import Table
from relay.settings.errors import Place

ANNA = {"name": "anna", "address": "anna@x.example"}
BERT = {"name": "bert", "address": "bert@x.example"}


def found(**document: Any) -> list[Place]:  # noqa: ANN401 - tables as they come
    return [finding.place for finding in check_document(Table(content={"user": [ANNA, BERT], **document}))]


@pytest.mark.parametrize(
    ("document", "places"),
    [
        ({}, []),
        ({"user": []}, [("user",)]),
        ({"user": [ANNA, {**BERT, "name": "ANNA"}]}, [("user", 1, "name")]),
        ({"user": [ANNA, {**BERT, "aliases": ["Anna@X.example"]}]}, [("user", 1, "aliases", 0)]),
        ({"account": [{"name": "a"}, {"name": "a"}]}, [("account", 1, "name")]),
        ({"account": [{"name": "a"}, {"name": "A"}]}, []),
        ({"server": {"postmaster": "ana"}}, [("server", "postmaster")]),
        ({"account": [{"owner": "bert", "users": ["anna", "carl"]}]}, [("account", 0, "users", 1)]),
        ({"listener": [{"port": 25}, {"host": "127.0.0.1", "port": 25}]}, [("listener", 1)]),
        ({"listener": [{"port": 0}, {"port": 0}, {"port": "25"}, {"port": "25"}]}, []),
        ({"listener": [{"tls": "starttls", "certificate": "c"}]}, [("listener", 0, "private_key")]),
        ({"listener": [{"require_auth": True}]}, [("listener", 0, "require_auth")]),
        ({"listener": [{"networks": ["0.0.0.0/1", "128.0.0.0/1"]}]}, [("listener", 0, "networks")]),
        ({"listener": [{"networks": []}], "retry": {"intervals": []}},
         [("listener", 0, "networks"), ("retry", "intervals")]),
        ({"account": [{"smtp": {"host": "h", "username": "u"}}]}, [("account", 0, "smtp", "username")]),
        ({"account": [{"smtp": {"host": "h", "password": "p"}}]}, [("account", 0, "smtp", "username")]),
        ({"account": [{"pop3": {"username": "u", "password": "p", "password_env": "E"}}]}, [("account", 0, "pop3")]),
        ({"archive": {"bcc": ["C@x.example"]}, "account": [{"address": "c@x.example", "pop3": {"distribute": True}}]},
         [("archive", "bcc", 0)]),
    ],
)  # fmt: skip
def test_each_contradiction_is_found_at_its_place(document: dict[str, Any], places: list[Place]) -> None:
    assert found(**document) == places


def test_a_similar_name_is_proposed() -> None:
    root = Table(content={"user": [ANNA, BERT], "server": {"postmaster": "ana"}})
    (finding,) = check_document(root)
    assert finding.reason == 'there is no such user; did you mean "anna"? There are: anna, bert'
