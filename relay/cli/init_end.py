"""The end of `relay init`: somebody signs in, the account is tried, the service told, and what is next is said.

All is imported at once: root becomes the storage folder's owner here, who may not be able to read root's Python.
"""

import shlex
from typing import TYPE_CHECKING

from relay.admin.authorizing import authorize
from relay.admin.requests import TryAccount
from relay.cli.account import run_test
from relay.cli.alone import open_room
from relay.cli.authorizing import Terminal
from relay.cli.configuration import DONE, FAILED
from relay.cli.editing import hand_over
from relay.cli.output import say
from relay.first_steps import texts
from relay.first_steps.machine import own_names
from relay.first_steps.programs import describe_programs
from relay.model.errors import RelayError
from relay.places import is_the_services_own
from relay.settings.hosts import parse_ip

if TYPE_CHECKING:
    from relay.first_steps.answers import AccountAnswer
    from relay.settings import Settings


def finish(config: str | None, settings: "Settings", account: "AccountAnswer", *, tries: bool) -> int:
    """Do all of it; return the status with which the command ends.

    `tries`: let somebody sign in where that is needed, and test the account.
    """
    language = settings.language
    own = [name for name in own_names(settings) if _is_own_address(name)]
    signed_in = account.oauth is None or (tries and _sign_in(config, account.name))
    works = (tries and signed_in and _test(config, account.name)) or (not tries and account.oauth is None)
    runs = _reload(settings)
    user = next(one for one in settings.directory.users if one.name == account.owner)
    say()
    say(texts.MAIL_PROGRAMS.by(language))
    for line in describe_programs(settings, user, account.address, own):
        say(f"  {line}")
    say()
    option = "" if config is None else f" -c {shlex.quote(str(settings.path))}"
    if not signed_in:
        following = texts.NEXT_SIGN_IN
    elif not works:
        following = texts.NEXT_MEND
    elif runs:
        following = texts.NEXT_SEND
    else:
        following = texts.NEXT_START if is_the_services_own(settings.path) else texts.NEXT_SERVE
    name = shlex.quote(account.name)
    say(following.by(language).format(name=name, option=option, address=account.address))
    return DONE if works else FAILED


def _is_own_address(name: str) -> bool:
    """Return whether it is an IPv4 address of this machine, which others can type where they can't find its name."""
    address = parse_ip(name)
    return address is not None and address.version == 4 and not address.is_loopback


def _sign_in(config: str | None, account: str) -> bool:
    """Let somebody sign in; return whether it came to that. A running service gets to know the login with the file."""
    try:
        authorize(open_room(config, serves=True, makes=True), account, Terminal())
    except RelayError as error:
        say(str(error), error=True)
        return False
    except KeyboardInterrupt:  # the file is written: what is next is said all the same
        return False
    return True


def _test(config: str | None, account: str) -> bool:
    try:
        return run_test(config, TryAccount(account=account)) == DONE
    except RelayError as error:
        say(str(error), error=True)
    except KeyboardInterrupt:
        pass
    return False


def _reload(settings: "Settings") -> bool:
    """Let a running service take the file over; return whether it did."""
    try:
        return hand_over(settings) == DONE
    except RelayError as error:
        say(f"{error}: relay reload", error=True)
        return False
