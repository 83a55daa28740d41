"""Our relay as a real program: configured in a folder, started, read by its log, stopped, killed."""

import json
import signal
import smtplib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.peers.machine import wait_until
from tests.peers.warm_start import WarmProcess, run_warm

Table = Mapping[str, Any]
Process = WarmProcess | subprocess.Popen[bytes]

ROOT = Path(__file__).parents[2]

ANNA: Table = {"name": "anna", "address": "anna@example.com", "aliases": ["a.schmidt@example.com"]}
RETRY_SOON: Table = {"intervals": ["1 s"]}


def write_config(
    folder: Path,
    *,
    accounts: Sequence[Table],
    users: Sequence[Table] = (ANNA,),
    archive: Sequence[str] | Table = ("central@example.com",),
    listener: Table | None = None,
    language: str = "en",
    **sections: Table | Sequence[Table],
) -> Path:
    """Write a relay.toml whose storage is its own folder, with one listener on a port that the system chooses.

    `sections` are more tables, or other values for these: `retry={"intervals": ["1 s"]}`. A value of `listener` that
    is None is left out.
    """
    given = {"host": "127.0.0.1", "port": 0, "default_user": users[0]["name"], **(listener or {})}
    tables: dict[str, Any] = {
        "language": language,
        "server": {"hostname": "relay.office.example", "postmaster": users[0]["name"]},
        "listener": [{key: value for key, value in given.items() if value is not None}],
        "user": list(users),
        "account": list(accounts),
        "archive": archive if isinstance(archive, Mapping) else {"bcc": list(archive)},
        "retry": RETRY_SOON,
        **sections,
    }
    path = folder / "relay.toml"
    path.write_text(to_toml(tables))
    path.chmod(0o600)
    return path


def make_account(name: str, port: int, **more: Any) -> Table:  # noqa: ANN401 - a TOML value
    """Give an account's table whose provider is a server on loopback, without TLS; `smtp={...}` adds to that."""
    smtp = {"host": "127.0.0.1", "port": port, "security": "none", **more.pop("smtp", {})}
    return {"name": name, "address": f"{name}@example.com", "owner": "anna", **more, "smtp": smtp}


def to_toml(table: Table, path: str = "") -> str:
    """Write a table as TOML: plain values first, then tables and arrays of tables."""
    plain = {key: value for key, value in table.items() if not _is_table(value) and not _is_tables(value)}
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in plain.items()]
    for key, value in table.items():
        name = f"{path}{key}"
        if _is_table(value):
            lines.append(f"\n[{name}]\n{to_toml(value, f'{name}.')}")
        elif _is_tables(value):
            lines += [f"\n[[{name}]]\n{to_toml(item, f'{name}.')}" for item in value]
    return "".join(lines)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_table, value))


def python_of(checkout: Path) -> str:
    """Return the Python that runs the relay of a checkout: the one that runs us, where it is our own."""
    return sys.executable if checkout == ROOT else str(checkout / ".venv" / "bin" / "python")


class RelayProcess:
    """`relay serve` in a process of its own; a context manager that starts it, and at the end stops it.

    It is forked from a process that has imported the relay already; with `fresh` an interpreter starts, for what looks
    at the start itself, at the memory or at the table of processes. `checkout` is the folder of another version of the
    relay, set up there by `make install`, that is to run instead.
    """

    def __init__(self, config: Path, *, fresh: bool = False, checkout: Path = ROOT) -> None:
        self.config = config
        self._checkout = checkout
        self._is_fresh = fresh or checkout != ROOT
        self._log = config.with_name("serve.log")
        self._errors = config.with_name("serve.errors")
        self._process: Process | None = None
        self._started_at = 0
        self._tail = b""
        self._read = 0
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._process is not None:
            self.stop(check=False)

    def start(self, *through: str) -> None:
        """Start it and wait until it listens. Raises RuntimeError with its errors if it ends instead.

        `through`: another module that runs it, with arguments of its own.
        """
        self._started_at = len(self.events)
        module, *words = through or ("relay",)
        words += ["serve", "-c", str(self.config)]
        if self._is_fresh:
            with self._log.open("ab") as log, self._errors.open("ab") as errors:
                self._process = subprocess.Popen(
                    [python_of(self._checkout), "-m", module, *words],
                    cwd=self._checkout,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=errors,
                )
        else:
            self._process = WarmProcess(module, words, cwd=ROOT, stdout=self._log, stderr=self._errors)
        try:
            self.port: int = self.wait_for("listening", since=self._started_at)[0]["port"]
        except BaseException:
            if self._running.poll() is None:
                self._running.kill()
                self._running.wait()
            self._process = None
            raise

    def stop(self, *, check: bool = True, timeout: float = 40) -> None:
        """Stop it by SIGTERM and wait for its end; with `check` its status must be 0."""
        process = self._running
        process.terminate()
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._process = None
        if check:
            assert status == 0, f"status {status}: {self.errors}"

    def kill(self) -> None:
        """Kill it on the spot."""
        self._running.kill()
        self._running.wait()
        self._process = None

    def end(self) -> None:
        """Kill it where it still runs."""
        if self._process is not None:
            self.kill()

    def wait_for_death(self, seconds: float) -> bool:
        """Wait until it has ended by itself; tells whether it did."""
        try:
            self._running.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self._process = None
        return True

    def reload(self) -> None:
        """Tell it to read its configuration anew."""
        self._running.send_signal(signal.SIGHUP)

    def send(self, sender: str, count: int = 1) -> None:
        """Hand some mails in, as a mail program does."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as smtp:
            for n in range(count):
                smtp.sendmail(sender, ["customer@example.net"], f"From: {sender}\r\nSubject: {n}\r\n\r\nhello\r\n")

    def run(self, *arguments: str, check: bool = True, timeout: float = 60, configured: bool = True) -> str:
        """Run another command of the relay on the same configuration, or on none, and give what it printed."""
        words = [*arguments, *(("-c", str(self.config)) if configured else ())]
        if self._is_fresh:
            command = [python_of(self._checkout), "-m", "relay", *words]
            done = subprocess.run(
                command, cwd=self._checkout, capture_output=True, check=False, timeout=timeout, text=True
            )
        else:
            done = run_warm("relay", *words, timeout=timeout)
        assert not check or done.returncode == 0, f"{arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    @property
    def errors(self) -> str:
        """What it wrote to standard error; nothing is right."""
        return self._errors.read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events that it logged so far, those before a restart too."""
        if self._log.exists():
            with self._log.open("rb") as stream:
                stream.seek(self._read)
                new = stream.read()
            self._read += len(new)
            *lines, self._tail = (self._tail + new).split(b"\n")
            self._events += [json.loads(line) for line in lines]
        return self._events

    def find(self, event: str, *, since: int = 0, **fields: object) -> list[dict[str, Any]]:
        """Give the events of a name whose fields have these values, from a position in `events` on."""
        return _matching(self.events[since:], {"event": event, **fields})

    def wait_for(
        self, event: str, *, count: int = 1, since: int = 0, timeout: float = 60, **fields: object
    ) -> list[dict[str, Any]]:
        """Wait until so many such events are logged, and give them. Raises RuntimeError if the relay ends first."""

        events: list[dict[str, Any]] = []
        looked = since

        def found() -> list[dict[str, Any]]:
            nonlocal looked
            ended = self._process is not None and self._process.poll() is not None
            new = self.events[looked:]  # there may be thousands
            looked += len(new)
            events.extend(_matching(new, {"event": event, **fields}))
            if ended and len(events) < count:
                raise RuntimeError(f"the relay ended while {event} was awaited: {self.errors}{self.events[-5:]}")
            return events if len(events) >= count else []

        try:
            return wait_until(found, what=f"{count} events {event} {fields}", timeout=timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the last events: {self.events[-5:]}; {self.errors}") from error

    def memory(self) -> tuple[int, int]:
        """Give the resident memory now, and at its peak so far, in octets."""
        status = Path(f"/proc/{self._running.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return tuple(int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]  # it is a pair

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running.pid

    @property
    def _running(self) -> Process:
        assert self._process is not None, "the relay does not run"
        return self._process


def _matching(events: Sequence[dict[str, Any]], wanted: Mapping[str, object]) -> list[dict[str, Any]]:
    return [line for line in events if all(line.get(key) == value for key, value in wanted.items())]
