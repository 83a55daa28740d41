import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

from relay.cli import main
from tests.peers.relay_process import ANNA, make_account, write_config


@dataclass(frozen=True)
class Said:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever it printed
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Generator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose provider is not there."""
    accounts = [
        make_account("sales", 9),
        make_account("old", 9, excluded=True),
        {"name": "inbox", "address": "inbox@example.com", "owner": "anna"},
    ]
    return write_config(tmp_path, accounts=accounts, users=[{**ANNA, "notify": "inbox"}])


@pytest.fixture
def run(config: Path) -> Run:
    """Run a command on the configuration, in this process."""

    def run(*arguments: str, stdin: str = "", config_file: Path | None = config) -> Said:
        chosen = [] if config_file is None else ["-c", str(config_file)]
        result = CliRunner().invoke(main, [*arguments, *chosen], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    return run
