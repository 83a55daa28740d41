"""The file that is filled: whether it may be, and how it comes to hold what was answered.

Guarantee: it is the old file, or the new one as a whole; a file that was not there is there only once it is complete.
What fails, or is interrupted, leaves the old one, and no password.
"""

import contextlib
import datetime as dt
import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from relay.admin.entering import enter, import_to_certify
from relay.certificates.store import Store
from relay.editing import EditError
from relay.editing.file import change_file
from relay.editing.place import open_place, require_place
from relay.editing.secret_files import new_secret
from relay.first_steps.answers import Answers
from relay.first_steps.composing import compose, has_account, read_before
from relay.places import PLACES, find_file, name_option
from relay.settings import Settings
from relay.settings.advice import group_of
from relay.storage.child import as_another
from relay.storage.syncing import open_plain, replacing

_Proved = TypeVar("_Proved")
_SYSTEM_STORAGE: Final = Path("/var/lib/relay")
"""The package's storage folder."""


def choose_file(option: str | None) -> Path:
    """Return the file that is to be filled: the one that commands use, else the first that will be found."""
    if (found := find_file(option)) is not None:
        return found
    here, system = PLACES
    return system if os.geteuid() == 0 and system.parent.is_dir() else here


def read_fillable(path: Path) -> str:
    """Return what stands in a file that has no account yet; empty where it is not there.

    Raises EditError for any other, and where this user can't change it.
    """
    try:
        with os.fdopen(open_plain(path, links=True), "rb") as stream:
            text = stream.read().decode("utf-8")
    except FileNotFoundError:
        if path.is_symlink():
            raise EditError(f"{path}: is a link to what is not there: remove it, or make the file") from None
        if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
            raise EditError(
                f"{path}: can't be made here: run the command with sudo before it, or name it: -c FILE"
            ) from None
        require_place(path)
        return ""
    except PermissionError:
        raise EditError(f"{path}: can't be read: run the command again with sudo before it") from None
    except OSError as error:
        raise EditError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise EditError(f"{path}: is no text (UTF-8): `relay init` fills a file that is TOML, or none at all") from None
    if not os.access(os.path.dirname(os.path.realpath(path)), os.W_OK | os.X_OK):  # noqa: PTH120 - of a real path
        raise EditError(f"{path}: can't be changed: run the command again with sudo before it")
    require_place(path)
    require_fillable(path, text)
    return text


def require_fillable(path: Path, text: str) -> None:
    """Raise EditError unless a configuration has no account yet."""
    try:
        if has_account(text):
            option = "" if find_file(None) == path else name_option(path)
            raise EditError(
                f"{path}: has an account already, and `relay init` begins only where there is none. One more:"
                f" relay account add NAME{option}. What there is: relay check{option}"
            )
        read_before(text)
    except tomllib.TOMLDecodeError as error:
        raise EditError(f"{path}: is no TOML ({error}): mend it, or move it away and run `relay init` again") from None


def choose_storage(path: Path, text: str) -> str | None:
    """Return the storage folder that a new file is to name; None where it names one, or its own folder will do."""
    storage = read_before(text).get("storage", {})
    packaged = path.absolute().parent == PLACES[1].parent and _SYSTEM_STORAGE.is_dir()
    return str(_SYSTEM_STORAGE) if packaged and "folder" not in storage else None


def certify(settings: Settings, names: Sequence[str]) -> Path:
    """Make a certificate of the office's own for these names, as the storage folder's owner; return its file.

    Raises StorageError.
    """
    import_to_certify()

    def make() -> None:
        enter(settings)
        now = dt.datetime.now(dt.UTC)
        Store(settings.folder).make(names[:1], f"Mail relay {settings.hostname}", now, others=names[1:])

    as_another(make)
    return Store(settings.folder).server


def fill(
    path: Path, answers: Answers, secret: str, prove: Callable[[bytes], _Proved], *, storage: Path
) -> tuple[_Proved, Path | None]:
    """Write the file, and `secret`, unless it is empty, into a file of its own beside it.

    Returns what `prove` makes of what is to stand there, which raises what is against it, and the secret's file.
    `storage`: the storage folder, whose owner is to read it.
    Raises EditError, ConfigurationError, OSError.
    """
    with contextlib.ExitStack() as made:
        made.enter_context(_present(path, storage))
        file = made.enter_context(new_secret(path, answers.account.name, secret)) if secret else None
        complete = answers if file is None else replace(answers, account=answers.account.with_secret_in(str(file)))

        def edit(before: str) -> str:
            require_fillable(path, before)  # again: another command may have been quicker
            return compose(complete, before)

        proved = change_file(path, edit, prove)
    assert proved is not None  # it has an account now, which it had not
    return proved, file


@contextlib.contextmanager
def _present(path: Path, storage: Path) -> Iterator[None]:
    """Make an empty file where there is none, which goes again where the body raises. Raises OSError.

    `storage`: the storage folder, whose owner's group may read it.
    """
    if path.exists():
        yield
        return
    group = None
    if os.geteuid() == 0 and storage.is_dir():
        found = storage.stat()
        group = group_of(found.st_uid, found.st_gid) if found.st_uid else None
    with open_place(path) as place:
        with replacing(place.path, place.folder) as (_, made):
            if place.uid is not None:
                os.fchown(made, place.uid, -1)
            if group is not None:
                os.fchown(made, -1, group)
                os.fchmod(made, 0o640)
        try:
            yield
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(place.path.name, dir_fd=place.folder)
            raise
