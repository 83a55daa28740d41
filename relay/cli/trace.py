"""`relay trace`: the whole life of one mail."""

import click

from relay.cli.configuration import config_option, json_option, load, open_storage, plain_faults
from relay.cli.output import clean, print_facts, print_json, show_time


@click.command("trace")
@config_option
@json_option
@click.argument("id")
@plain_faults
def command(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Tell the whole life of one mail, by its queue id (or the beginning of it) or its Message-ID."""
    from relay.storage import admin

    engine = open_storage(load(config))
    traces = [admin.trace(engine, message_id) for message_id in admin.find_messages(engine, id)]
    if as_json:
        print_json(traces)
        return
    for trace in traces:
        _show(trace)
