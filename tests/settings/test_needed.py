"""What is missing is shown as it is written."""

from relay.settings.needed import EXAMPLES, describe_missing
from relay.settings.schema import TABLES
from relay.settings.validate import validate_document


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
