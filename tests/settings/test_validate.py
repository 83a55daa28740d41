"""One error is told once, and what is missing is shown as it is written."""

from relay.settings.schema import TABLES
from relay.settings.validate import EXAMPLES, describe_missing, validate_document

SERVER = {"hostname": "relay.office.example", "postmaster": "anna"}
USER = {"name": "anna", "address": "anna@example.com"}


def places(document: dict[str, object]) -> list[tuple[str | int, ...]]:
    found = validate_document(document)
    return [finding.place for finding in found] if isinstance(found, list) else []


def test_a_misspelt_key_is_not_missing_as_well() -> None:
    account = {"name": "sales", "address": "sales@example.com", "onwer": "anna"}
    assert places({"server": SERVER, "user": [USER], "account": [account]}) == [("account", 0, "onwer")]
    assert places({"sever": SERVER, "user": [USER]}) == [("sever",)]


def test_what_is_missing_beside_another_misspelt_key_is_told() -> None:
    account = {"name": "sales", "adress": "sales@example.com"}
    found = places({"server": SERVER, "user": [USER], "account": [account, {"onwer": "anna"}]})
    assert set(found) == {
        ("account", 0, "adress"), ("account", 0, "owner"),
        ("account", 1, "onwer"), ("account", 1, "name"), ("account", 1, "address"),
    }  # fmt: skip


def test_each_example_is_of_a_key_or_a_table_that_there_is() -> None:
    for place, example in EXAMPLES.items():
        assert place in TABLES or place[-1] in TABLES[place[:-1]]  # type: ignore[index]  # places without positions
        if place not in TABLES:
            assert example.startswith(f"{place[-1]} = ")


def test_all_that_must_be_there_has_an_example() -> None:
    findings = validate_document({})
    assert isinstance(findings, list)
    assert {finding.place for finding in findings} == {("server",), ("user",)} <= set(EXAMPLES)


def test_a_place_is_found_whatever_its_position() -> None:
    assert describe_missing(("account", 3, "owner")) == 'missing: add owner = "anna", the user whose it is'
    assert describe_missing(("nowhere",)) == "missing"
