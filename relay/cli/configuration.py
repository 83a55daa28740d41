"""What every command does with the configuration and with faults: one clear line, and the right exit status."""

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from relay.admin.entering import enter as enter  # noqa: PLC0414 - commands find here all that they begin with
from relay.admin.entering import open_storage as open_storage  # noqa: PLC0414
from relay.admin.entering import read_for_owner as read_for_owner  # noqa: PLC0414
from relay.admin.entering import require_own_hand as require_own_hand  # noqa: PLC0414
from relay.cli.output import say

if TYPE_CHECKING:
    from relay.settings import ConfigurationError, Settings

DONE, FAILED, MISUSED = 0, 1, 2

config_option = click.option(
    "-c",
    "--config",
    metavar="FILE",
    help="The configuration; default: $RELAY_CONFIG, ./relay.toml, /etc/relay/relay.toml.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")


def load(config: str | None, *, secrets: bool = False) -> "Settings":
    """Load the configuration, or end with status 2 and a line for each mistake.

    `secrets`: the command may log in somewhere, so that the files and variables of passwords must be there.
    """
    from relay.settings import ConfigurationError, find_configuration, load_settings

    try:
        settings = load_settings(find_configuration(config), secrets=secrets)
        require_own_hand(config, settings)
    except ConfigurationError as error:
        refuse(error)
    return settings


def refuse(error: "ConfigurationError") -> NoReturn:
    """End with status 2 and a line for each mistake of a configuration."""
    for mistake in error.errors:
        say(mistake, error=True)
    sys.exit(MISUSED)


def fail(text: str) -> NoReturn:
    """End with status 1 and one line."""
    say(text, error=True)
    sys.exit(FAILED)


def plain_faults(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn errors of ours into one line and status 1: a user's mistake is never a traceback."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever click passes
        from relay.model.errors import RelayError

        try:
            return function(*args, **kwargs)
        except BrokenPipeError:
            raise  # whoever read has had enough: click ends without a word
        except RelayError as error:
            fail(str(error))
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))

    return run
