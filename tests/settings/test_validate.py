"""One error is told once: a key that is misspelt is not missing as well."""

from relay.settings.validate import validate_document

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
