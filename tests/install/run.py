"""`make test-install`: both Debians, each booted, from the bare system to the package's end, with a line a step.

Needs root, debootstrap and systemd-nspawn, the packages of `make deb` and, for the first time, a mirror of Debian.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NoReturn

from tests.install import provider
from tests.install.container import Container, StepError
from tests.install.scenario import Scenario
from tests.install.trees import SUITES, copy_tree, tree_for

_PROGRAMS: Final = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "dpkg-deb": "dpkg",
}
_LOWER: Final = "0.8.9"


def main() -> None:
    """Run what the command line asks for; the exit status is 1 where something failed or could not be tried."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, default=Path("dist"), help="the folder with the packages")
    parser.add_argument("--debian", choices=SUITES, action="append", help="only this one; default: both")
    parser.add_argument("--keep", action="store_true", help="leave the containers' folders, to look into")
    parser.add_argument("--first-hour", action="store_true", help="only the first hour, by each way to log in")
    parser.add_argument("--before", type=Path, help="an older package to upgrade from; default: a lower version of it")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no container is left running
    _require()
    versions = asked.debian or [*SUITES]
    packages = {version: _find_package(asked.packages, version) for version in versions}
    begun = time.monotonic()
    for version, package in packages.items():
        _try(version, package, asked)
    _say(f"\nmake test-install: good on Debian {' and '.join(versions)}, in {time.monotonic() - begun:.0f} s")


def _require() -> None:
    missing = [f"{name} (apt install {package})" for name, package in _PROGRAMS.items() if shutil.which(name) is None]
    if os.geteuid() != 0:
        missing.insert(0, "root")
    if missing:
        _end(f"make test-install can't be run here, and has tested nothing: it needs {', '.join(missing)}")


def _find_package(folder: Path, version: str) -> Path:
    found = sorted(folder.glob(f"lan-mail-relay_*+deb{version}_amd64.deb"), key=lambda path: path.stat().st_mtime)
    if not found:
        _end(f"there is no lan-mail-relay_*+deb{version}_amd64.deb in {folder}: `make deb` builds it")
    return found[-1]


def _try(version: str, package: Path, asked: argparse.Namespace) -> None:
    _say(f"\nDebian {version}: {package.name}")
    begun = time.monotonic()
    with contextlib.ExitStack() as undo:
        base = Path(tempfile.mkdtemp(prefix="relay-install-"))
        if not asked.keep:
            undo.callback(shutil.rmtree, base)
        folder = base / f"debian-{version}"
        with tree_for(version, package, _say) as tree:
            copy_tree(tree, folder)
        with Container(folder, keep=asked.keep) as container:
            provider.install_provider(container, version)
            _put(package, folder / "root/packages")
            if asked.before is None:
                _lower(package, folder / "root/lower")
            else:
                _put(asked.before, folder / "root/lower")
            _say(f"{time.monotonic() - begun:6.1f} s a bare Debian, copied; a package to upgrade from")
            try:
                Scenario(container, version, _say).play(first_hour_alone=asked.first_hour)
            except StepError as error:
                _show_logs(container)
                _end(f"\nDebian {version}: FAILED\n{error}")
    _say(f"Debian {version}: good, in {time.monotonic() - begun:.0f} s")


def _put(package: Path, folder: Path) -> None:
    folder.mkdir()
    shutil.copy(package, folder)


def _lower(package: Path, folder: Path) -> None:
    """Make a package of the same content with a lower version."""
    folder.mkdir()
    content = folder / "content"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(content)], check=True)
    control = content / "DEBIAN/control"
    lines = control.read_text().splitlines()
    version = next(line.partition(": ")[2] for line in lines if line.startswith("Version: "))
    lower = _LOWER + version[version.index("+") :]
    control.write_text(
        "".join(f"Version: {lower}\n" if line.startswith("Version: ") else f"{line}\n" for line in lines)
    )
    target = folder / package.name.replace(version, lower)
    subprocess.run(["dpkg-deb", "--build", "-Znone", str(content), str(target)], check=True, capture_output=True)
    shutil.rmtree(content)


def _show_logs(container: Container) -> None:
    for script in (
        "journalctl --no-pager --lines 40 --unit relay",
        "tail -n 15 /var/log/provider-smtp.log /var/log/provider-pop3.log",
        "journalctl --no-pager --lines 15 --unit dovecot --unit provider-smtp --unit provider-pop3",
    ):
        try:
            _say(f"--- {script}\n{container.run(f'{script} || true')}")
        except (StepError, AssertionError) as error:
            _say(f"--- {script}: {error}")


def _say(text: str) -> None:
    print(text, flush=True)


def _end(text: str) -> NoReturn:
    print(text, file=sys.stderr, flush=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
