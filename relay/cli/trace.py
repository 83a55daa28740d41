"""`relay trace`: the whole life of one mail."""

import time
from functools import partial

import click

from relay.cli.choosing import Text
from relay.cli.configuration import config_option, json_option, load, open_storage, plain_faults
from relay.cli.output import print_json, say
from relay.cli.standing import find_standstill, tell_if_stopped
from relay.model.errors import NotFoundError


@click.command("trace")
@config_option
@json_option
@click.argument("id", type=Text())
@plain_faults
def command(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Tell the whole life of one mail, whether it went out or came in.

    ID is any that a command or the log prints: a queue id (its beginning is enough), a delivery id, a provider's unique
    id, or a Message-ID, with or without its angle brackets. A mail that went out and came back is told in both
    directions.
    """
    from relay.cli.mail_show import details_json, trace_mail
    from relay.cli.trace_incoming import find_incoming, incoming_json, trace_incoming
    from relay.storage import admin

    settings = load(config)
    engine = open_storage(settings)
    incoming = find_incoming(engine, settings, id)
    try:
        found = admin.find_messages(engine, id)
    except NotFoundError:
        if not incoming:
            raise
        found = []
    mails = [admin.show_message(engine, message_id) for message_id in found]
    now = time.time_ns() // 1_000_000
    standstill = find_standstill(engine, settings, now)
    if as_json:
        outgoing = [{"direction": "outgoing", **one} for one in details_json(mails, now, standstill)]
        print_json([*outgoing, *map(incoming_json, incoming)])
    else:
        tell = [partial(trace_mail, mail, now, standstill) for mail in mails]
        for n, one in enumerate([*tell, *(partial(trace_incoming, mail) for mail in incoming)]):
            if n:
                say()
            one()
    tell_if_stopped(settings)
