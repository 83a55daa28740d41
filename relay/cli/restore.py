"""`relay restore`: a backup or a copy of the database taken back, with everything in it held."""

import contextlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.cli.configuration import config_option, enter, fail, load
from relay.cli.output import confirm_many, count, progress, say
from relay.cli.restore_plan import Plan, configured_folder, find_whole, make_plan
from relay.model.oauth import KEY_FILE, Flow
from relay.places import digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relay.settings import Settings
    from relay.settings.login_sources import LoginSource
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
        source = configured_folder(config)
    if not os.path.lexists(source):
        raise click.BadParameter(f"'{source}' does not exist.", param_hint="'FILE|FOLDER'")
    if not source.is_dir():
        _restore_database(config, source, yes=yes)
        return
    from relay.storage.child import as_another
    from relay.storage.manifest import read_manifest, verify
    from relay.storage.upgrade import VERSION

    backup = find_whole(source)
    manifest = read_manifest(backup)
    if manifest.schema > VERSION:
        fail(
            f"{backup}: its database has schema {manifest.schema}, this program knows {VERSION}: install the relay that"
            f" made it ({manifest.program}), or a newer one"
        )
    with progress("Looking through the backup", sum(entry.size for entry in manifest.files)) as step:
        verify(backup, manifest, step)
    plan = make_plan(config, backup, manifest, configuration=configuration, other_installation=other_installation)
    confirm_many(plan.question, yes=yes)
    if plan.owner is None:
        _put_back_data(plan)
    else:
        as_another(lambda: _put_back_data(plan))
    _put_back_configuration(plan)


def _restore_database(config: str | None, file: Path, *, yes: bool) -> None:
    from relay import logs
    from relay.storage.backup import follow_links
    from relay.storage.elsewhere import beside, is_for_root, opened_copy
    from relay.storage.lock import StorageLock, database_file
    from relay.storage.owner import find_owner

    settings = load(config)
    target = database_file(settings.database)
    if target is None:
        fail("the database is PostgreSQL: take its copy back with pg_restore")
    with contextlib.ExitStack() as stack:
        copy = None
        if is_for_root(file, find_owner(settings.folder)):
            copy = stack.enter_context(opened_copy(file))
        enter(settings, serves=True)
        if copy is None and not follow_links(file).exists():
            fail(f"{file}: is a link to what is not there: name the copy itself")
        logs.configure(form="console", level=settings.log.level, descriptor=logs.STDERR)
        stack.enter_context(StorageLock(settings.folder, settings.database))
        confirm_many(f"Replace {target} by {file}", yes=yes)
        readable = file if copy is None else stack.enter_context(beside(target, copy, file))
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


def _put_back_data(plan: Plan) -> None:
    """Put back what is the service's own, with the rights of who owns the storage folder."""
    from relay import logs
    from relay.model.errors import StorageError
    from relay.storage.backups import note_done
    from relay.storage.engine import open_engine, transaction
    from relay.storage.lock import StorageLock
    from relay.storage.manifest import DATABASE
    from relay.storage.putting_back import look_at_present, put_back_files, put_back_mails

    settings, manifest = plan.settings, plan.manifest
    enter(settings, serves=True)
    copy = plan.backup / DATABASE
    if not os.access(copy, os.R_OK):
        who = "" if plan.owner is None else plan.owner if plan.owner.has_name else plan.owner.uid
        raise StorageError(
            f"{plan.backup}: can't be read by {plan.owner}, who runs the service: give it to him"
            f' ("chown -R {who} {plan.backup}"), or put it where he can read it'
        )
    logs.configure(form="console", level=settings.log.level, descriptor=logs.STDERR)
    with StorageLock(settings.folder, settings.database):
        is_other, newer = look_at_present(plan.database, manifest)
        if is_other and newer and not plan.other_installation:
            waiting = count(newer, "delivery waits", "deliveries wait")
            raise StorageError(
                f"{plan.backup}: is of another installation, and in {plan.database} {waiting}"
                " since it was made: add --other-installation if it is to take their place all the same"
            )
        restored = put_back_database(settings, copy, plan.database, copy)
        if settings.backup is not None and plan.backup.absolute().parent == settings.backup.folder.absolute():
            # The copy was made before that was noted in it.
            engine = open_engine(settings.database, prepared_statements=settings.prepared_statements)
            with transaction(engine, write=True) as tx:
                note_done(tx, manifest.at, plan.backup.absolute())
            engine.dispose()
        if newer:
            waited = count(newer, "delivery", "deliveries")
            say(f"{waited} that waited there came in after the backup: {restored.kept} has what is not in it")
        size = sum(entry.size for entry in manifest.files if entry.is_mail)
        with progress("Putting the inboxes back", size) as step:
            added, there = put_back_mails(
                plan.backup,
                manifest,
                inboxes=settings.inboxes,
                storage=settings.folder,
                shared=settings.group is not None,
                step=step,
            )
        if manifest.inboxes:
            say(f"inboxes: {count(added, 'mail')} put back; there already: {there}")
        for line in put_back_files(
            plan.backup, plan.files_within, storage=settings.folder, allowed=settings.folder, group=None
        ):
            say(line)


def _put_back_configuration(plan: Plan) -> None:
    """Put back the configuration and what it names beside it, with the rights of who gave the command."""
    from relay.model.errors import StorageError
    from relay.settings.advice import group_of
    from relay.storage.putting_back import keep_old, put_back_files, write_file

    group = None if plan.owner is None else group_of(plan.owner.uid, plan.owner.gid)
    if plan.content is not None:
        try:
            if plan.replaces:
                say(f"the configuration that was there before is {keep_old(plan.path)}")
            write_file(plan.path, plan.content, group=group)
        except OSError as error:
            raise StorageError(f"{plan.path}: {error.strerror}") from None
        say(f"{plan.path} is the backup's now")
    elif (saved := plan.manifest.find("relay.toml")) is not None and digest_of(plan.path) != saved.sha256:
        say(f"{plan.path} stays as it is; the backup's is {plan.backup / 'relay.toml'} (--configuration puts it back)")
    within = {entry.path for entry in plan.files_within}
    beside = [entry for entry in plan.manifest.files if entry.origin and entry.path not in within]
    for line in put_back_files(
        plan.backup, beside, storage=plan.settings.folder, allowed=plan.path.absolute().parent, group=group
    ):
        say(line)
    _tell_what_is_left(plan)


def _tell_what_is_left(plan: Plan) -> None:
    from relay.settings.document import Table, read_document
    from relay.settings.errors import name_place
    from relay.settings.login_sources import find_login_sources
    from relay.settings.user_passwords import find_password_commands

    content = plan.content or b""
    document = read_document(plan.path, content)[0]
    root = Table(content=document)
    sources, users = [*find_login_sources(root, plan.settings.folder)], dict(find_password_commands(root))
    by_command = {name_place(document, place) for place in (*users, *(one.place for one in sources if one.is_empty))}
    blanked = [place for place in plan.manifest.blanked if place not in by_command]
    if plan.content is not None and blanked:
        say(f"put these in again, in {plan.path}: they are not in the backup, and the service does not start before:")
        for place in blanked:
            say(f"  {place}")
    if plan.content is not None and users:
        say("give these users their passwords again, which are not in the backup; the service does not start before:")
        for command in users.values():
            say(f"  {command}")
        say(f"  (of a user who needs no password, take the line password_hash out of {plan.path} instead)")
    _tell_what_is_gone(plan, content, sources)
    if lost := _find_lost_logins(plan.settings):
        say("sign in again for these accounts, once the service runs: their logins are not in the backup:")
        for name in lost:
            say(f"  relay account authorize {shlex.quote(name)}")
    for line in plan.manifest.missing:
        say(f"not in the backup: {line}")
    say('test it with "relay check", then start the service ("systemctl start relay")')


def _tell_what_is_gone(plan: Plan, content: bytes, sources: "Sequence[LoginSource]") -> None:
    """Tell what accounts log in by and which files are not there, with the commands that make them anew."""
    from relay.places import CERTIFICATE
    from relay.settings.login_sources import is_gone
    from relay.storage.named_files import find_names

    folder = plan.settings.folder
    names = {folder / name: name for name in find_names(content) if is_gone(folder / name)}
    missing = [one for one in sources if one.command and (one.path in names or one.is_empty)]
    commands, mended = {one.command: None for one in missing}, {one.path for one in missing}
    is_ours = names.pop(folder / CERTIFICATE, None) is not None
    if commands:
        say("give these accounts their secrets again, which are not in the backup; the others work before that, too:")
        for command in commands:
            say(f"  {command}")
    if variables := sorted({one.name for one in sources if one.is_variable}):
        say(f"variables are in no backup: set {', '.join(variables)} again, in /etc/relay/environment for the service")
    if is_ours:
        say("make this machine's certificate anew, which is not in the backup; the service does not start without it:")
        say("  relay certificate make")
    if others := sorted(name for path, name in names.items() if path not in mended):
        say(f"make these again, which {plan.path} names: they are not in the backup:")
        for name in others:
            say(f"  {name}")


def _find_lost_logins(settings: "Settings") -> list[str]:
    """Give the accounts for which somebody must sign in again, since the key of their logins is not there."""
    if (settings.folder / KEY_FILE).exists():
        return []
    accounts = settings.directory.accounts
    return [one.name for one in accounts if one.oauth is not None and one.oauth.flow is not Flow.APP]
