"""`relay backup`: a copy of the database, while the service runs."""

from pathlib import Path

import click

from relay.cli.configuration import config_option, fail, load, open_storage, plain_faults
from relay.cli.output import say, show_size


@click.command("backup")
@config_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@plain_faults
def command(config: str | None, file: Path) -> None:
    """Copy the database into FILE, whole and as of one moment; the service goes on meanwhile.

    An older copy of that name is replaced, any other file is not. The inboxes are plain files beside it: copy them
    with what you copy files with. Root's copy needs as much room for a moment beside the database.
    """
    from relay.storage.backup import back_up
    from relay.storage.elsewhere import Target, is_for_root
    from relay.storage.lock import database_file
    from relay.storage.owner import find_owner

    settings = load(config)
    source = database_file(settings.database)
    if source is None:
        fail("the database is PostgreSQL: copy it with pg_dump")
    owner = find_owner(settings.folder)
    if is_for_root(file, owner):
        with Target(file, source, owner) as target:
            open_storage(settings).dispose()
            size = target.fill(source)
    else:
        open_storage(settings).dispose()
        size = back_up(source, file)
    say(f"{file}: {show_size(size)}")
