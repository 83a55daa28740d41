"""The page that keeps the figures, docs/performance.md: a place for each measurement, between two comments."""

import importlib.metadata
import os
import platform
import re
import sqlite3
import subprocess
from pathlib import Path

from tests.peers.machine import require_program

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"

_BLOCK = r"(?s)(?<=<!-- {0}:begin -->\n).*?(?=<!-- {0}:end -->)"
_PACKAGES = ("lan-mail-relay", "aiosmtpd", "aiosmtplib", "sqlalchemy", "uvloop")


def put(page: str, name: str, figures: str) -> str:
    """Give a page with other figures in a measurement's place. Raises LookupError if it has no such place."""
    changed, count = re.subn(_BLOCK.format(re.escape(name)), lambda _: figures, page)
    if count != 1:
        raise LookupError(f"the page has {count} places for {name}")
    return changed


def keep(name: str, figures: str) -> None:
    """Write figures into their place on the page, with the machine and the versions."""
    PAGE.write_text(put(PAGE.read_text(), name, f"{figures.strip()}\n\n{describe_machine()}\n"))


def describe_machine() -> str:
    """Name what was measured, on what."""
    postconf = [require_program("postconf", package="postfix"), "-d", "-h", "mail_version"]
    postfix = subprocess.run(postconf, capture_output=True, check=True, text=True).stdout.strip()
    installed = {dist.name.lower(): dist.version for dist in importlib.metadata.distributions()}
    packages = ", ".join(f"{name} {installed[name]}" for name in _PACKAGES if name in installed)
    return (
        f"{packages}; CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}; Postfix {postfix}; "
        f"{platform.system()} {platform.release()} on {_name_processor()}, {os.cpu_count()} cores, "
        f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB of memory; "
        f"load at the end {os.getloadavg()[0]:.1f}."
    )


def _name_processor() -> str:
    found = re.search(r"(?m)^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()
