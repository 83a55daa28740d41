"""Measures the relay beside a Postfix that does the same work, and beside mpop and getmail6, in turns, on this machine.

Each round starts both anew on empty queues. The server adds a blind copy, writes the sender and relays to a provider on
loopback. Postfix needs root. Run by `make bench`.
"""

import argparse
import dataclasses
import os
import sys
from pathlib import Path

import pytest

from bench.page import keep
from bench.plan import QUICK, Counts, list_measurements
from tests.peers.relay_process import python_of


def main() -> int:
    """Measure, print, and with `--write` keep the figures in docs/performance.md."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled, not anew at each start
    names = list(list_measurements(Counts(), beside=Path()))
    names += [name for name in list_measurements(Counts()) if name not in names]
    chosen = _read_arguments(names)
    counts = QUICK if chosen.quick else Counts()
    given = {name: getattr(chosen, name) for name in ("rounds", "messages", "sessions", "length", "sizes")}
    counts = dataclasses.replace(counts, **{name: value for name, value in given.items() if value is not None})
    failed = []
    for name, lines in list_measurements(counts, chosen.beside).items():
        if name not in (chosen.only or names):
            continue
        figures = ""
        try:
            for figures in lines:
                print(figures, flush=True)
            if chosen.write and chosen.beside is None:
                keep(name, figures)
        except (pytest.skip.Exception, pytest.fail.Exception) as lack:
            failed.append(f"{name} {lack}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are still to be measured
            failed.append(f"{name} failed: {type(error).__name__}: {error}")
        else:
            continue
        print(failed[-1], file=sys.stderr, flush=True)
    if failed:
        print("Not measured:", *failed, sep="\n  ", file=sys.stderr)
    return 1 if failed else 0


def _read_arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=names, help="one of the measurements (may be repeated)")
    parser.add_argument("--quick", action="store_true", help="two rounds of few mails, to see whether everything works")
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/performance.md")
    parser.add_argument(
        "--beside", type=_checkout, metavar="FOLDER", help="a checkout of another version, in place of other programs"
    )
    parser.add_argument("--rounds", type=_positive, help="of each measurement")
    parser.add_argument("--messages", type=_positive, help="of each round with many mails")
    parser.add_argument("--sessions", type=_positive, help="that hand in at a time")
    parser.add_argument("--length", type=_positive, help="octets of each mail's body")
    parser.add_argument("--sizes", type=_sizes, help="mails of history and queue, such as 1000,10000")
    return parser.parse_args()


def _checkout(text: str) -> Path:
    folder = Path(text).resolve()
    if not Path(python_of(folder)).exists():
        raise argparse.ArgumentTypeError(f"{folder} has no .venv: `make install` there sets it up")
    return folder


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(_positive(part) for part in text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
