"""What is asked or answered comes out of its JSON as it went in; what it costs to ask; another release is told so."""

import ast
import hashlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.admin import requests
from relay.admin.desk import FUNCTIONS
from relay.admin.requests import VERSION, Filter, ListMails, Progress, Told
from relay.admin.wire import WireError, decode, encode
from relay.model.state import State
from tests.cli.conftest import Run, serve

NUMBERS = st.integers(-(1 << 53), 1 << 53)


@given(
    st.builds(
        ListMails,
        filter=st.builds(
            Filter,
            states=st.lists(st.sampled_from(State)).map(tuple),
            account=st.none() | st.text(),
            older=st.none() | NUMBERS,
            everything=st.booleans(),
        ),
        limit=NUMBERS,
    )
)
def test_a_request_comes_out_as_it_went_in(request: ListMails) -> None:
    assert decode(ListMails, encode(request)) == request


def test_an_answer_keeps_its_words_and_what_programs_read_is_json() -> None:
    facts = (("Queue id", "01"), ("State", "held"))
    told = decode(Told, encode(Told(json=({"state": State.HELD, "why": ("a", None)},), facts=facts, exit_status=2)))
    assert told == Told(json=({"state": "held", "why": ["a", None]},), facts=facts, exit_status=2)


@pytest.mark.parametrize(
    ("kind", "json"),
    [
        (Progress, None),
        (Progress, {"what": "x"}),
        (Progress, {"what": "x", "done": "1"}),
        (Progress, {"what": "x", "done": True}),
        (Progress, {"what": "x", "done": 1, "more": 1}),
        (Told, {"lines": {}}),
        (Told, {"facts": [["a"]]}),
        (ListMails, {"filter": {"states": ["queued"]}}),
        (ListMails, {"filter": {"older": 10**40}}),
        (ListMails, {"filter": {"older": -(10**40)}}),
        (ListMails, {"filter": {}, "limit": 1 << 54}),
        (Progress, {"what": "x", "done": float("inf")}),
    ],
)
def test_what_does_not_fit_is_refused(kind: type, json: Any) -> None:  # noqa: ANN401 - any JSON
    with pytest.raises(WireError):
        decode(kind, json)


KNOWN = (2, "6436f263179a2567")
"""Of the release that is out: `VERSION`, and the digest of all requests and answers."""


def test_the_version_is_counted_up_with_each_change_of_what_is_said() -> None:
    """A command and a service of different releases must not misunderstand each other.

    Where this fails: count `VERSION` up, unless it was counted up since the last release, and write both here.
    """
    told = [
        f"{kind.name}.{ast.unparse(one.target)}: {ast.unparse(one.annotation)}"
        for kind in ast.walk(ast.parse(inspect.getsource(requests)))
        if isinstance(kind, ast.ClassDef)
        for one in kind.body
        if isinstance(one, ast.AnnAssign)
    ]
    told += sorted(kind.__name__ for kind in FUNCTIONS)
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
    assert (VERSION, digest) == KNOWN


def test_another_release_is_told_in_plain_words(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(config):
        monkeypatch.setattr("relay.admin.wire.VERSION", VERSION + 1)
        said = run("queue", "list")
        assert (said.status, said.out) == (1, "")
        assert "restart the service (`systemctl restart relay`)" in said.err


def test_asking_a_service_needs_neither_settings_nor_database(config: Path, queued: list[str]) -> None:
    program = (
        "import sys; from relay.cli import main\n"
        "try: main()\n"
        "finally: print(*sorted({name.split('.')[0] for name in sys.modules}), *sys.modules, file=sys.stderr)"
    )
    with serve(config):
        for more in (["list", "--json"], ["list"], ["show", queued[0]]):
            asked = [sys.executable, "-c", program, "queue", *more, "-c", str(config)]
            ended = subprocess.run(asked, capture_output=True, text=True, check=True)
            loaded = set(ended.stderr.split())
            assert queued[0] in ended.stdout
            assert not loaded & {"pydantic", "sqlalchemy", "structlog", "asyncio", "relay.settings", "relay.storage"}
            assert "dataclasses" not in loaded or more == ["list"]  # only rich needs them, for a table
            assert ("rich" in loaded) is (more == ["list"])


def test_a_command_that_no_service_answers_loads_what_it_lists_by_and_no_more(config: Path, queued: list[str]) -> None:
    program = (
        "import sys; from relay.cli import main\n"
        "try: main()\n"
        "finally: print(*{name.split('.')[0] for name in sys.modules}, *sys.modules, file=sys.stderr)"
    )
    asked = [sys.executable, "-c", program, "queue", "list", "-c", str(config)]
    ended = subprocess.run(asked, capture_output=True, text=True, check=True)
    loaded = set(ended.stderr.split())
    assert queued[0] in ended.stdout
    assert "relay.storage.listing" in loaded
    assert not loaded & {"structlog", "rich.console", "relay.supervisor", "aiosmtpd", "aiosmtplib", "alembic"}
    assert not loaded & {"argon2", "cryptography", "h11", "dns", "tomlkit", "psycopg", "uvloop"}
