"""The end of `relay init`: somebody signs in, the account is tried, the service told, and what is next is said.

All is imported at once: root becomes the storage folder's owner here, who may not be able to read root's Python.
"""

import shlex
from typing import TYPE_CHECKING

from relay.admin.authorizing import authorize
from relay.admin.requests import TakeUpLogin, TryAccount
from relay.cli.account import run_test
from relay.cli.alone import open_room
from relay.cli.authorizing import Terminal
from relay.cli.configuration import DONE, FAILED
from relay.cli.editing import hand_over
from relay.cli.output import say
from relay.cli.telling import ask_from, print_answers
from relay.first_steps import end_texts
from relay.first_steps.machine import own_names
from relay.first_steps.programs import describe_programs
from relay.model.errors import RelayError
from relay.places import is_the_services_own, repeat_option
from relay.settings.hosts import parse_ip

if TYPE_CHECKING:
    from relay.admin.room import Room
    from relay.first_steps.answers import AccountAnswer
    from relay.settings import Settings


def finish(config: str | None, settings: "Settings", account: "AccountAnswer", *, tries: bool) -> int:
    """Do all of it; return the status with which the command ends.

    `tries`: let somebody sign in where that is needed, and test the account.
    """
    language = settings.language
    own = [name for name in own_names(settings) if _is_own_address(name)]
    room = _sign_in(config, account.name) if tries and account.oauth is not None else None
    signed_in = account.oauth is None or room is not None
    works = (tries and signed_in and _test(config, account.name)) or (not tries and account.oauth is None)
    taken_over = _reload(settings)
    if taken_over == DONE and room is not None:
        _take_up_login(room, account.name)
    user = next(one for one in settings.directory.users if one.name == account.owner)
    say()
    say(end_texts.MAIL_PROGRAMS.by(language))
    for line in describe_programs(settings, user, account.address, own):
        say(f"  {line}")
    say()
    option = repeat_option(config, settings.path)
    if not signed_in:
        following = end_texts.NEXT_SIGN_IN
    elif not works:
        following = end_texts.NEXT_MEND
    elif taken_over == DONE:
        following = end_texts.NEXT_SEND
    elif taken_over is not None:
        following = end_texts.NEXT_RELOAD
    else:
        following = end_texts.NEXT_START if is_the_services_own(settings.path) else end_texts.NEXT_SERVE
    name = shlex.quote(account.name)
    say(end_texts.TO_CHANGE.by(language).format(name=name, option=option))
    say(following.by(language).format(name=name, option=option, address=account.address))
    return DONE if works else FAILED


def _is_own_address(name: str) -> bool:
    """Return whether it is an IPv4 address of this machine, which others can type where they can't find its name."""
    address = parse_ip(name)
    return address is not None and address.version == 4 and not address.is_loopback


def _sign_in(config: str | None, account: str) -> "Room | None":
    """Let somebody sign in; None where it did not come to that. A running service gets to know the account later."""
    try:
        room = open_room(config, serves=True, makes=True)
        authorize(room, account, Terminal())
    except RelayError as error:
        say(str(error), error=True)
        return None
    except KeyboardInterrupt:  # the file is written: what is next is said all the same
        return None
    return room


def _test(config: str | None, account: str) -> bool:
    try:
        return run_test(config, TryAccount(account=account)) == DONE
    except RelayError as error:
        say(str(error), error=True)
    except KeyboardInterrupt:
        pass
    return False


def _reload(settings: "Settings") -> int | None:
    """Let a running service take the file over; return with which status it did, None where none runs."""
    try:
        return hand_over(settings)
    except RelayError as error:
        say(str(error), error=True)
        return FAILED


def _take_up_login(room: "Room", account: str) -> None:
    """Tell a running service of a login, as `relay account authorize` does."""
    try:
        print_answers(ask_from(room, TakeUpLogin(account=account)))
    except RelayError as error:  # it finds the login by itself, a little later
        say(str(error), error=True)
