"""A bare Debian with the office's peers in it, made once and kept; each run works on a copy.

Kept in `$XDG_CACHE_HOME/lan-mail-relay` (else below `~/.cache`). What the package needs is only downloaded: it is the
package's installation that must bring it in, from a machine without network.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MIRROR: Final = os.environ.get("MIRROR") or "http://deb.debian.org/debian"
SUITES: Final = {"12": "bookworm", "13": "trixie"}
_BASE: Final = ("systemd-sysv", "dbus", "ca-certificates")
_PEERS: Final = ("postfix", "dovecot-imapd", "dovecot-pop3d", "swaks", "libnet-ssleay-perl", "curl", "openssl")
_ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND": "noninteractive",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
}
_NO_START: Final = "#!/bin/sh\nexit 101\n"

Say = Callable[[str], None]


def cache_folder() -> Path:
    """Give the folder of what is kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lan-mail-relay"


@contextmanager
def tree_for(version: str, package: Path, say: Say) -> Iterator[Path]:
    """Give the kept tree of a Debian, with all that a package of ours needs downloaded; others wait meanwhile."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{SUITES[version]}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        key = hashlib.sha256(repr((MIRROR, _BASE, _PEERS)).encode()).hexdigest()[:10]
        tree = cache / f"{SUITES[version]}-{key}"
        if not tree.exists():
            say(f"a bare Debian {version} and the peers are fetched, once, into {tree}")
            _make(SUITES[version], tree)
        _download(tree, package, say)
        yield tree


def copy_tree(tree: Path, target: Path) -> None:
    """Copy a tree; where the file system can, without its bytes."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(tree), str(target)], check=True)


def _make(suite: str, tree: Path) -> None:
    new = tree.with_name(f"{tree.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    _run(["debootstrap", "--variant=minbase", f"--include={','.join(_BASE)}", suite, str(new), MIRROR])
    policy = new / "usr/sbin/policy-rc.d"
    policy.write_text(_NO_START)
    policy.chmod(0o755)
    _resolve(new)
    _run(
        ["chroot", str(new), "debconf-set-selections"],
        given="postfix postfix/main_mailer_type select No configuration\n",
    )
    _run(["chroot", str(new), "apt-get", "install", "--yes", "--no-install-recommends", *_PEERS])
    _run(["chroot", str(new), "apt-get", "clean"])
    policy.unlink()
    # The office's Dovecot shows inboxes over IMAP alone; the provider's has a configuration of its own.
    (new / "usr/share/dovecot/protocols.d/pop3d.protocol").unlink()
    new.rename(tree)


def _download(tree: Path, package: Path, say: Say) -> None:
    """Download what the package depends on and recommends, unless that was done for the same list before."""
    asked = ["dpkg-deb", "--field", str(package), "Pre-Depends", "Depends", "Recommends"]
    wanted = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    stamp = tree / "root/.downloaded"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("what the package needs of Debian is downloaded")
    _resolve(tree)
    here = tree / "root/needs.deb"
    shutil.copy(package, here)
    try:
        _run(["chroot", str(tree), "apt-get", "update"])
        _run(["chroot", str(tree), "apt-get", "install", "--yes", "--download-only", "/root/needs.deb"])
    finally:
        here.unlink()
    stamp.write_text(wanted)


def _resolve(tree: Path) -> None:
    target = tree / "etc/resolv.conf"
    target.unlink(missing_ok=True)
    shutil.copy("/etc/resolv.conf", target)


def _run(command: list[str], given: str = "") -> None:
    """Run a command that has the network. Raises RuntimeError with the end of what it said."""
    done = subprocess.run(
        command,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**_ENVIRONMENT, **{k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}},
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
