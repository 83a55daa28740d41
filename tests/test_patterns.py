"""The regular expressions of the whole package: what each Python from 3.11.0 on matches alike."""

import importlib
import pkgutil
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import relay
from relay.rules.answers.reading import all_rows
from relay.rules.answers.sign_in import MICROSOFT_ROWS
from relay.rules.answers.sign_in_rows import STANDARD_ROWS

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import sre_parse  # the parser of `re`, under the name that 3.11 and 3.13 know

PLAIN = {"LITERAL", "NOT_LITERAL", "ANY", "IN"}


def patterns() -> Iterator[tuple[str, Any, int]]:
    """Give each pattern that a module of the package keeps, with its name and its flags."""
    for module in pkgutil.walk_packages(relay.__path__, "relay."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            found = value if isinstance(value, dict) else {"": value}
            for key, one in found.items():
                if isinstance(one, re.Pattern):
                    yield f"{module.name}.{name}{key}", one.pattern, one.flags

    for row in (*all_rows(), *MICROSOFT_ROWS, *STANDARD_ROWS):
        for pattern in filter(None, (row.says, row.unless)):
            yield f"answer {row.name}", pattern, 0


def possessive_groups(parsed: Any) -> Iterator[str]:  # noqa: ANN401 - the parser's own lists
    """Give what is repeated possessively though it is more than one character."""
    if isinstance(parsed, sre_parse.SubPattern):
        parsed = parsed.data
    if isinstance(parsed, (list, tuple)):
        if len(parsed) == 2 and str(parsed[0]) == "POSSESSIVE_REPEAT":
            item = list(parsed[1][2])
            if len(item) != 1 or str(item[0][0]) not in PLAIN:
                yield str(item)[:100]
        for one in parsed:
            yield from possessive_groups(one)


@pytest.mark.parametrize("bad", [r"(?:ab)*+", r"x(?:a|bc)++y", r"((?:[ab]c?)?+)"])
def test_a_possessive_group_is_found(bad: str) -> None:
    assert [*possessive_groups(sre_parse.parse(bad))]


def test_no_group_is_repeated_possessively() -> None:
    """Python before 3.11.5 (Debian 12 has 3.11.2) matches such a group wrongly; an atomic group is the same, and right.

    Mended in Python 3.11.5 (gh-106052, gh-100061).
    """
    known = [*patterns()]
    assert len(known) > 40
    wrong = {name: [*possessive_groups(sre_parse.parse(pattern, flags))] for name, pattern, flags in known}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_this_python_matches_atomic_groups_as_they_are() -> None:
    header = b"From: a@b\r\nthis is no field\r\nTo: x\r\n\r\n"
    found = re.match(rb"(?>(?:(?:[!-9;-~]++[ \t]*+:|[ \t])[^\n]*+\n)*)", header)
    assert found is not None
    assert found[0] == b"From: a@b\r\n", sys.version
