"""`relay restore`: a backup or a copy of the database taken back, with everything in it held."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.configuration import config_option, enter, fail, load
from relay.cli.output import confirm_many, count, say

if TYPE_CHECKING:
    from relay.settings import Settings
    from relay.storage.backup import Restored


@click.command("restore")
@config_option
@click.option("--yes", is_flag=True, help="Do it without a question.")
@click.option("--configuration", is_flag=True, help="Put the backup's configuration in the place of the one there is.")
@click.option("--other-installation", is_flag=True, help="Let a backup of another relay take the place of newer mail.")
@click.argument("source", metavar="[FILE|FOLDER]", required=False, type=click.Path(path_type=Path))
def command(
    config: str | None, source: Path | None, *, yes: bool, configuration: bool, other_installation: bool
) -> None:
    """Put a backup back; the service must be stopped.

    FOLDER is a backup, or a folder with backups, of which the newest is taken; without an argument it is [backup]
    folder. Back come the database, the mails of the inboxes that are not there any more, and where they are missing the
    configuration and the files that it names. A FILE is a copy of the database alone.

    What was waiting when the copy was made is held, since it may have been sent afterwards. The database that was there
    is kept beside it, and so is a configuration that is replaced.
    """
    if source is None:
        from relay.cli.restore_plan import configured_folder

        source = configured_folder(config)
    if not os.path.lexists(source):
        raise click.BadParameter(f"'{source}' does not exist.", param_hint="'FILE|FOLDER'")
    if source.is_dir():
        from relay.cli.restore_plan import find_whole
        from relay.cli.restoring import restore_whole

        restore_whole(
            config,
            find_whole(source),
            yes=yes,
            configuration=configuration,
            other_installation=other_installation,
        )
    else:
        _restore_database(config, source, yes=yes)


def _restore_database(config: str | None, file: Path, *, yes: bool) -> None:
    """Put a copy of the database alone in its place."""
    from relay import logs
    from relay.storage.backup import follow_links
    from relay.storage.elsewhere import Copy, is_for_root
    from relay.storage.lock import StorageLock, database_file
    from relay.storage.owner import find_owner

    settings = load(config)
    target = database_file(settings.database)
    if target is None:
        fail("the database is PostgreSQL: take its copy back with pg_restore")
    with contextlib.ExitStack() as stack:
        copy = None
        if is_for_root(file, find_owner(settings.folder)):
            copy = Copy(file)
            stack.callback(copy.close)
        enter(settings, serves=True)
        if copy is None and not follow_links(file).exists():
            fail(f"{file}: is a link to what is not there: name the copy itself")
        logs.configure(form="console", level=settings.log.level, descriptor=logs.STDERR)
        stack.enter_context(StorageLock(settings.folder, settings.database))
        confirm_many(f"Replace {target} by {file}", yes=yes)
        readable = file if copy is None else stack.enter_context(copy.beside(target))
        put_back_database(settings, readable, target, file)


def put_back_database(settings: "Settings", copy: Path, database: Path, name: Path) -> "Restored":
    """Put a copy in the place of the database, in our schema, and say what became of both, and of the mail in it.

    `name`: what the copy is called. Raises StorageError.
    """
    from relay.storage.backup import restore_database
    from relay.storage.engine import open_engine
    from relay.storage.upgrade import VERSION, prepare_database

    restored = restore_database(copy, database, newest=VERSION, name=name)
    engine = open_engine(settings.database, prepared_statements=settings.prepared_statements)
    prepare_database(engine)
    engine.dispose()
    say(f"{database} is the copy now")
    if restored.damaged:
        say(f"what was there before can't be read, and is {restored.kept}, as it was found")
    elif restored.kept is not None:
        say(f"what was there before is {restored.kept}")
    if restored.held:
        told = count(restored.held, "delivery was", "deliveries were")
        say(f"{told} waiting, and held now: what waited then may have been sent since.")
        say("`relay queue list` shows them; `relay queue release` or `delete` decides.")
    return restored
