"""`relay dovecot-config`: what lets Dovecot show the inboxes over IMAP, with the users of this configuration."""

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import click

from relay.cli.configuration import config_option, fail, load
from relay.cli.output import say

if TYPE_CHECKING:
    from relay.model.account import User
    from relay.settings import Settings

_VERSIONS: Final = ("2.3", "2.4")
_PLACES: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_GROUP: Final = "vmail"
"""Where the configuration names none."""
_LOGIN: Final = re.compile(r"[a-z0-9._@-]+")
"""What Dovecot takes as a login, lower-cased (`auth_username_chars`, without what its files can't hold)."""
_PATH: Final = re.compile(r"[A-Za-z0-9/._@+-]+")
"""Folders that can stand in Dovecot's file without quotes."""

_COMMENT: Final = """\
# Dovecot {version} shows the inboxes of {config} over IMAP. Written by `relay dovecot-config`.
#
# Once, as root, with the package dovecot-imapd installed:
#
#     groupadd --force --system {group}
#     getent passwd vmail || useradd --system --gid {group} --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin vmail
#     {join}
#
# Then write into {config}, under [storage]:
#
#     group = "{group}"
#
# and go on:
#
#     systemctl restart relay
#     {make}
#     {existing}
#     relay dovecot-config{option} > /etc/dovecot/local.conf
#     sed -i 's/^!include auth-system.conf.ext/#&/' /etc/dovecot/conf.d/10-auth.conf
#     relay dovecot-config{option} --users | install -m 0640 -g dovecot /dev/stdin /etc/dovecot/relay.users
#     systemctl restart dovecot
#
# Who has a password_hash in {name} (`relay user password` makes it) logs in with that password, by his name or one of
# his addresses. The `--users` line is needed again whenever a user or a password changes. Dovecot's certificate stands
# in /etc/dovecot/conf.d/10-ssl.conf.

"""  # noqa: E501 - commands that are copied stand on one line

_CONFIGS: Final = {
    "2.3": """\
mail_location = maildir:{inboxes}/%u
mail_privileged_group =
first_valid_uid = 100

passdb {{
  driver = passwd-file
  args = /etc/dovecot/relay.users
}}
userdb {{
  driver = static
  args = uid=vmail gid={group} home={inboxes}/%u
}}
""",
    "2.4": """\
mail_driver = maildir
mail_path = {inboxes}/%{{user}}
mail_inbox_path = {inboxes}/%{{user}}
mail_home = {inboxes}/%{{user}}
mail_privileged_group =
first_valid_uid = 100

passdb passwd-file {{
  passwd_file_path = /etc/dovecot/relay.users
}}
userdb static {{
  fields {{
    uid = vmail
    gid = {group}
  }}
}}
""",
}


@click.command("dovecot-config")
@config_option
@click.option(
    "--version", "version", type=click.Choice(_VERSIONS), help="Of Dovecot; default: that of the one installed here."
)
@click.option(
    "--users", is_flag=True, help="Print the logins instead, for Dovecot's passwd-file: as secret as relay.toml."
)
def command(config: str | None, version: str | None, *, users: bool) -> None:
    """Print what lets Dovecot show the inboxes over IMAP; its first lines say where it belongs and what else to do.

    Dovecot runs as a user of its own, who reads the inboxes as a member of `[storage] group`.
    """
    settings = load(config)
    if users:
        for user in settings.directory.users:
            _say_logins(user)
        return
    if _PATH.fullmatch(str(settings.inboxes)) is None:
        fail(
            f"{settings.path.name}: storage.inboxes: {settings.inboxes}: Dovecot's configuration can't name such a"
            " folder: choose one of letters, digits and ./_@+- alone"
        )
    click.echo(write_config(settings, version or find_version(), config=config), nl=False)


def write_config(settings: "Settings", version: str, *, config: str | None) -> str:
    """Write the file for Dovecot, with the commands as comments. `config`: what was named with -c."""
    from relay.places import repeat_option
    from relay.settings.advice import name_user
    from relay.settings.folders import join_group, make_shared, share_existing

    group = settings.group or _GROUP
    owner = name_user(settings.folder.stat().st_uid) if settings.folder.is_dir() else "relay"
    values = {
        "version": version,
        "config": settings.path,
        "name": settings.path.name,
        "option": repeat_option(config, settings.path),
        "group": group,
        "inboxes": settings.inboxes,
        "join": join_group(owner, group),
        "make": make_shared(settings.inboxes, owner, group),
        "existing": share_existing(settings.inboxes, group),
    }
    return (_COMMENT + _CONFIGS[version]).format_map(values)


def find_version() -> str:
    """Ask the Dovecot of this machine for its version, and give the one whose recipe fits; ends the command if none."""
    program = shutil.which("dovecot", path=_PLACES)
    if program is None:
        fail("Dovecot is not installed here: install it first (apt install dovecot-imapd), or say --version 2.3 or 2.4")
    asked = [program, "--version"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=20).stdout  # noqa: S603 - of the system's folders alone
    found = re.match(r"2\.[0-9]+(?=\.)", said)
    if found is None or found[0] not in _VERSIONS:
        fail(f"{program} says that it is {said.strip()!r}: only 2.3 and 2.4 are known; try --version 2.4")
    return found[0]


def _say_logins(user: "User") -> None:
    if user.password_hash is None:
        say(f"# {user.name} can't log in: no password_hash (relay user password)")
        return
    logins = [user.name, *(str(address) for address in user.addresses)]
    for login in dict.fromkeys(login.lower() for login in logins):
        if _LOGIN.fullmatch(login) is not None:
            rename = "" if login == user.name else f"user={user.name}"
            say(f"{login}:{{ARGON2ID}}{user.password_hash}::::::{rename}")
