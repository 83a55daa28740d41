"""Work in a process of its own, which may become another user for good while this one stays what it is."""

import os
import sys
import traceback
from collections.abc import Callable

from relay.model.errors import RelayError, StorageError


def as_another(work: Callable[[], None]) -> None:
    """Run in a process of its own, which may become another user for good.

    Raises StorageError with what it raises, and OSError where there can be no such process.
    """

    def answer() -> bytes:
        try:
            work()
        except (RelayError, OSError) as error:
            return os.fsencode(str(error))
        finally:
            sys.stdout.flush()
        return b"\0"

    sys.stdout.flush()
    if (said := ask_another(answer)) != b"\0":
        raise StorageError(os.fsdecode(said) or "the process that was to do it has died")


def ask_another(work: Callable[[], bytes]) -> bytes:
    """Run in a process of its own; return what it gives, empty where it fails and says so.

    Raises OSError where there is none.
    """
    with os.fdopen(os.memfd_create("answer"), "w+b") as answer:
        try:
            process = os.fork()
        except OSError as error:
            raise OSError(error.errno, f"a second process can't be started: {error.strerror}") from None
        if process == 0:
            try:
                answer.write(work())
                answer.flush()
            except Exception:  # noqa: BLE001 - nobody is above it who could say it
                traceback.print_exc()
            finally:
                os._exit(0)
        os.waitpid(process, 0)
        answer.seek(0)
        return answer.read()
