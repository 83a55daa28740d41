"""What commands do with the configuration, and how they end where something is wrong."""

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from relay.admin.entering import enter as enter  # noqa: PLC0414 - commands find here all that they begin with
from relay.admin.entering import open_storage as open_storage  # noqa: PLC0414
from relay.admin.entering import read_for_owner as read_for_owner  # noqa: PLC0414
from relay.admin.entering import require_own_hand as require_own_hand  # noqa: PLC0414
from relay.cli.output import say

if TYPE_CHECKING:
    from relay.settings import Settings
    from relay.settings.login_sources import Lenience

DONE, FAILED, MISUSED = 0, 1, 2

config_option = click.option(
    "-c",
    "--config",
    metavar="FILE",
    help="The configuration; default: $RELAY_CONFIG, ./relay.toml, /etc/relay/relay.toml.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")


def load(config: str | None, *, secrets: bool = False, lenience: "Lenience | None" = None) -> "Settings":
    """Load the configuration. Raises ConfigurationError.

    `secrets`: the command may log in somewhere, so that passwords, their files and variables are looked at.
    `lenience`: what of that may be missing; by default what may for a command, all but variables.
    """
    from relay.settings import find_configuration, load_settings
    from relay.settings.login_sources import COMMAND

    lenience = COMMAND if lenience is None else lenience
    settings = load_settings(find_configuration(config), secrets=secrets, lenience=lenience)
    require_own_hand(config, settings)
    return settings


def fail(text: str) -> NoReturn:
    """End with status 1 and one line."""
    say(text, error=True)
    sys.exit(FAILED)
