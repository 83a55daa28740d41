import subprocess
import sys
from pathlib import Path

from relay.watching.asking import Running, Service, ask_service


def test_where_no_service_runs_nothing_answers(tmp_path: Path) -> None:
    assert ask_service(tmp_path) == Service(running=Running.NO)
    assert ask_service(tmp_path / "none") == Service(running=Running.NO)
    assert ask_service(tmp_path / ("none" * 40)) == Service(running=Running.NO)


def test_who_asks_only_this_loads_no_database() -> None:
    code = "import sys, relay.watching.asking\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "relay.control.client" in loaded
    assert not [name for name in loaded if name.startswith(("sqlalchemy", "relay.storage"))]
