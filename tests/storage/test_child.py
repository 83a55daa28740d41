import os
from collections.abc import Callable

import pytest

from relay.model.errors import RelayError, StorageError
from relay.storage.child import as_another, ask_another


def test_what_another_process_gives_comes_back_whatever_its_size() -> None:
    assert ask_another(lambda: str(os.getpid()).encode()) != str(os.getpid()).encode()
    assert ask_another(lambda: b"x" * 1_000_000) == b"x" * 1_000_000


def _raise(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RelayError("the copy is damaged: \u00e4\udc80"), "the copy is damaged: \u00e4\udc80"),
        (OSError(2, "No such file or directory", "x.db"), "[Errno 2] No such file or directory: 'x.db'"),
        (KeyboardInterrupt(), "the process that was to do it has died"),
    ],
)
def test_what_another_process_raises_is_raised_here_in_its_words(error: BaseException, said: str) -> None:
    with pytest.raises(StorageError) as raised:
        as_another(_raise(error))
    assert str(raised.value) == said


def test_a_process_that_is_killed_is_no_success() -> None:
    with pytest.raises(StorageError, match="has died"):
        as_another(lambda: os.kill(os.getpid(), 9))


def test_a_fault_of_the_program_is_said_where_it_happens(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StorageError, match="has died"):
        as_another(_raise(ZeroDivisionError("odd")))
    assert "ZeroDivisionError: odd" in capfd.readouterr().err


def test_what_ends_well_says_nothing() -> None:
    as_another(lambda: None)
