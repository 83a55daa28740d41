"""`relay restore`: a copy of the database taken back, with everything in it held."""

from pathlib import Path

import click

from relay.cli.configuration import config_option, fail, load, plain_faults
from relay.cli.output import confirm_many


@click.command("restore")
@config_option
@click.option("--yes", is_flag=True, help="Do it without a question.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@plain_faults
def command(config: str | None, file: Path, *, yes: bool) -> None:
    """Put the copy FILE in the place of the database; the service must be stopped.

    What was waiting when the copy was made is held, since it may have been sent afterwards. The database that was there
    is kept beside it.
    """
    from relay import logs
    from relay.storage.backup import restore_database
    from relay.storage.engine import open_engine
    from relay.storage.lock import StorageLock, database_file
    from relay.storage.upgrade import prepare_database
    from relay.storage.version import VERSION

    settings = load(config)
    target = database_file(settings.database)
    if target is None:
        fail("the database is PostgreSQL: take its copy back with pg_restore")
    logs.configure(form="console", level=settings.log.level, descriptor=logs.STDERR)
    with StorageLock(settings.folder, settings.database):
        confirm_many(f"Replace {target} by {file}", yes=yes)
        restored = restore_database(file, target, newest=VERSION)
        engine = open_engine(settings.database, prepared_statements=settings.prepared_statements)
        prepare_database(engine)
        engine.dispose()
    click.echo(f"{target} is the copy now")
    if restored.damaged:
        click.echo(f"what was there before can't be read, and is {restored.kept}, as it was found")
    elif restored.kept is not None:
        click.echo(f"what was there before is {restored.kept}")
    if restored.held:
        click.echo(f"{restored.held} deliveries were waiting and are held: they may have been sent since.")
        click.echo("`relay queue list` shows them; `relay queue release` or `delete` decides.")
