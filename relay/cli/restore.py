"""`relay restore`: a copy of the database taken back, with everything in it held."""

import contextlib
import os
from pathlib import Path

import click

from relay.cli.configuration import config_option, enter, fail, load, plain_faults
from relay.cli.output import confirm_many, say


@click.command("restore")
@config_option
@click.option("--yes", is_flag=True, help="Do it without a question.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@plain_faults
def command(config: str | None, file: Path, *, yes: bool) -> None:
    """Put the copy FILE in the place of the database; the service must be stopped.

    What was waiting when the copy was made is held, since it may have been sent afterwards. The database that was there
    is kept beside it.
    """
    from relay import logs
    from relay.storage.backup import follow_links, restore_database
    from relay.storage.elsewhere import Copy, is_for_root
    from relay.storage.engine import open_engine
    from relay.storage.lock import StorageLock, database_file
    from relay.storage.owner import find_owner
    from relay.storage.upgrade import prepare_database
    from relay.storage.version import VERSION

    if not os.path.lexists(file):
        raise click.BadParameter(f"File '{file}' does not exist.", param_hint="'FILE'")
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
        restored = restore_database(readable, target, newest=VERSION, name=file)
        engine = open_engine(settings.database, prepared_statements=settings.prepared_statements)
        prepare_database(engine)
        engine.dispose()
    say(f"{target} is the copy now")
    if restored.damaged:
        say(f"what was there before can't be read, and is {restored.kept}, as it was found")
    elif restored.kept is not None:
        say(f"what was there before is {restored.kept}")
    if restored.held:
        say(f"{restored.held} deliveries were waiting and are held: they may have been sent since.")
        say("`relay queue list` shows them; `relay queue release` or `delete` decides.")
