"""`relay device`: lists, adds and removes the scanners and programs of relay.toml that are known by their network."""

from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final

import click

from relay.cli import Group, editing
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, json_option, load
from relay.cli.editing import Key, find_file, key_options, nest, read_changes, reload, remove
from relay.cli.output import Column, print_json, print_list, say

KEYS: Final = (
    Key("--network", ("networks",), "Its address, such as 192.168.1.40; may be repeated.", many=True),
    Key("--user", ("user",), "The user for whom it sends."),
)
_COLUMNS: Final = (
    Column(title="Device", least=12),
    Column(title="User"),
    Column(title="Addresses", least=16),
)


@click.group("device", cls=Group)
def command() -> None:
    """List, add or remove scanners and programs of relay.toml, which are known by their addresses."""


@command.command("list", short_help="List the devices of relay.toml.")
@config_option
@json_option
def list_(config: str | None, *, as_json: bool) -> None:
    """List the devices of relay.toml: by which addresses each is known, and for whom it sends."""
    devices = load(config).directory.devices
    if as_json:
        print_json(
            [{"name": one.name, "networks": [str(net) for net in one.networks], "user": one.user} for one in devices]
        )
        return
    if not devices:
        say("There is no device yet: relay device add NAME --network ADDRESS --user USER")
        return
    print_list(_COLUMNS, [(one.name, one.user, ", ".join(map(show_network, one.networks))) for one in devices])


def show_network(network: IPv4Network | IPv6Network) -> str:
    """Write a network as people do: a single address without its length."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


@command.command("add", short_help="Add a device to relay.toml.")
@config_option
@click.argument("name", type=Text())
@key_options(KEYS)
def add(config: str | None, name: str, **options: Any) -> None:  # noqa: ANN401 - of click
    """Add the device NAME to relay.toml, such as "Scanner 2nd floor"."""
    changes = read_changes(KEYS, options)
    for key in KEYS:
        if key.path not in changes:
            raise click.UsageError(f"{key.option} is missing: {key.help[0].lower()}{key.help[1:].rstrip('.')}")
    settings = editing.add(config, "device", name, nest(changes))
    say(f"{name} is in {find_file(config)} now")
    reload(config, settings)


@command.command("remove", short_help="Remove a device from relay.toml.")
@config_option
@click.argument("name", type=Text())
def remove_(config: str | None, name: str) -> None:
    """Remove the device NAME from relay.toml: what comes from its address is no longer its user's."""
    settings = remove(config, "device", name)
    say(f"{name} is no longer in {find_file(config)}")
    reload(config, settings)
