"""Where a reader looks for the test of a module there is one."""

import ast
import re
import tomllib
from pathlib import Path

from tests.peers.relay_process import ROOT

ELSEWHERE = {
    "admin/requests.py": "values",
    "admin/room.py": "what each function of the room is called with",
    "admin/service.py": "tried by its commands: tests/cli",
    "cli/demo.py": "only begins the demonstration: tests/demo",
    "model/errors.py": "values",
    "model/mail.py": "values",
    "model/route.py": "values",
    "model/state.py": "values; found by rules/states.py",
    "notifications/__init__.py": "only puts its parts together",
    "rules/answers/about.py": "names alone",
    "rules/answers/general_rows.py": "a table; tried by rules/answers/reading.py",
    "rules/answers/provider_rows.py": "a table; tried by rules/answers/reading.py",
    "storage/columns.py": "what the tables are made of",
    "submission/__init__.py": "only puts its parts together",
}
"""Modules with code of their own and no test of their name, each with the reason."""


def _does_something(function: ast.AST) -> bool:
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return any(not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)) for line in function.body)


def _without_test() -> set[str]:
    found = set()
    for file in (ROOT / "relay").rglob("*.py"):
        module = file.relative_to(ROOT / "relay")
        if "migrations" in module.parts or not any(map(_does_something, ast.walk(ast.parse(file.read_text())))):
            continue  # a migration is tried with the databases of released versions
        test = Path("tests", module.parent, f"test_{module.stem.strip('_')}.py")
        if not (ROOT / test).exists():
            found.add(str(module))
    return found


def test_each_module_has_the_test_of_its_name() -> None:
    assert _without_test() == {*ELSEWHERE}


def test_what_others_rely_on_is_there() -> None:
    for module in ("server", "routing", "bcc_archive", "pop_poller"):
        assert (ROOT / "relay" / f"{module}.py").exists()


def test_the_picture_of_the_rooms_has_a_row_for_each() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    rooms = {room.strip().replace(".", "/") for layer in layers for room in layer.split("|")} - {"relay/__main__"}
    first = {line.split(" | ")[0] for line in (ROOT / "docs/architecture.md").read_text().splitlines()}
    named = {room.removesuffix("/").removesuffix(".py") for line in first for room in re.findall(r"`([^`]+)`", line)}
    assert rooms <= named


def test_how_an_account_sends_is_known_where_it_is_read_and_where_it_is_done() -> None:
    looking = set()
    for file in (ROOT / "relay").rglob("*.py"):
        found = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute))
        if any(node.attr == "smtp" and getattr(node.value, "id", "") != "aiosmtpd" for node in found):
            looking.add(str(file.relative_to(ROOT / "relay")))
    outside = {file for file in looking if not file.startswith(("settings/", "transports/"))}
    # The doctor speaks SMTP itself.
    assert outside == {"model/account.py", "admin/doctor.py", "upstream/round_trip.py"}
