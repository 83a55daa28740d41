"""What it costs to ask a service, and what is said where it is of another release."""

import subprocess
import sys
from pathlib import Path

import pytest

from relay.admin.requests import VERSION
from tests.cli.conftest import Run, serve


def test_another_release_is_told_in_plain_words(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(config):
        monkeypatch.setattr("relay.admin.asking.VERSION", VERSION + 1)
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
            assert ("rich" in loaded) is (more == ["list"])
