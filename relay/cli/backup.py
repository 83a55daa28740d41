"""`relay backup`: a copy of the database, or a whole backup, while the service runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.configuration import config_option, enter, fail, load, open_storage
from relay.cli.output import progress, say, show_size
from relay.clock import wall_clock
from relay.places import name_page

if TYPE_CHECKING:
    from relay.settings import Settings


@click.command("backup")
@config_option
@click.argument("target", metavar="[FILE|FOLDER]", required=False, type=click.Path(path_type=Path))
def command(config: str | None, target: Path | None) -> None:
    """Make a backup now; the service goes on meanwhile.

    Without an argument it goes where the nightly ones are ([backup] folder), and into a FOLDER it goes as well: the
    database, the configuration and what [backup] says, as a folder named by its time. Its passwords are blanked unless
    [backup] has secrets = true.

    Into a FILE goes the database alone, whole and as of one moment. An older copy of that name is replaced, any other
    file is not. Root's copy needs as much room for a moment beside the database.
    """
    settings = load(config)
    if target is None and settings.backup is None:
        raise click.UsageError(
            f"name a file or a folder, or say where the backups are in {settings.path}:"
            ' [backup] and below it folder = "/backup"'
        )
    if target is None or target.is_dir():
        _make_whole(settings, target)
    else:
        _copy_database(settings, target)


def _copy_database(settings: "Settings", file: Path) -> None:
    from relay.storage.backup import back_up
    from relay.storage.child import as_another
    from relay.storage.elsewhere import fill, is_for_root, opened_target
    from relay.storage.lock import database_file
    from relay.storage.owner import find_owner
    from relay.storage.saving import Pace

    source = database_file(settings.database)
    if source is None:
        fail(f"the database is PostgreSQL: copy it with pg_dump ({name_page('backup.md')} has the whole recipe)")

    def copy(into: int | None) -> None:
        open_storage(settings).dispose()
        with progress("Copying the database", source.stat().st_size) as step:
            if into is None:
                back_up(source, file, Pace(step))
            else:
                fill(into, file, source, Pace(step))

    if is_for_root(file, find_owner(settings.folder)):
        with opened_target(file, source) as target:
            as_another(lambda: copy(target))
    else:
        copy(None)
    say(f"{file}: {show_size(file.stat().st_size)}")


def _make_whole(settings: "Settings", folder: Path | None) -> None:
    """Make a backup as the nightly ones are; one in their folder counts as one of them."""
    from relay.backing_up import plan_backup
    from relay.model.errors import RelayError, StorageBusyError
    from relay.settings.values import BackupSettings
    from relay.storage.backup import is_same
    from relay.storage.backups import name_installation, note_begun, note_done, note_failed
    from relay.storage.engine import transaction
    from relay.storage.named_files import find_names, gather
    from relay.storage.saving import Pace, estimate, make_backup, remove_old

    backup = settings.backup or BackupSettings(folder=folder or Path())
    counts = settings.backup is not None and (folder is None or is_same(folder, backup.folder))
    content = settings.path.read_bytes()  # with root's rights, as it was loaded; all else with the owner's
    enter(settings)
    job = plan_backup(settings, backup, None if folder is None else folder.absolute())
    database = open_storage(settings)
    gathered = gather(job.configuration, content, secrets=backup.secrets)
    at = wall_clock()
    with transaction(database, write=True) as tx:
        installation = note_begun(tx, at) if counts else name_installation(tx)
    try:
        # The database is copied, and then read twice to make sure of the copy.
        with progress("Making the backup", estimate(job) + 2 * job.database.stat().st_size) as step:
            made = make_backup(job, gathered, at=at, installation=installation, step=Pace(step))
    except StorageBusyError:
        raise
    except RelayError as error:
        if counts:
            with transaction(database, write=True) as tx:
                note_failed(tx, wall_clock(), str(error))
        raise
    if counts:
        with transaction(database, write=True) as tx:
            note_done(tx, at, made.path)
    say(f"{made.path}: {show_size(made.size)}")
    for line in made.missing:
        say(f"it lacks {line}", error=True)
    if not backup.secrets and (gathered.blanked or find_names(content) - {one.origin for one in gathered.files}):
        say(
            "Passwords and private keys are not in it, nor the files that hold some ([backup] secrets = true keeps"
            " them)"
        )
    if counts:
        for old in remove_old(made.path, backup.keep, installation):
            say(f"removed {old}: [backup] keep = {backup.keep}")
