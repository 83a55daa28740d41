"""`relay trace`: the whole life of one mail."""

import time

import click

from relay.cli.choosing import Text
from relay.cli.configuration import config_option, json_option, load, open_storage, plain_faults
from relay.cli.output import print_json, say
from relay.cli.standing import find_standstill, tell_if_stopped


@click.command("trace")
@config_option
@json_option
@click.argument("id", type=Text())
@plain_faults
def command(config: str | None, *, as_json: bool, id: str) -> None:  # noqa: A002 - click's argument
    """Tell the whole life of one mail.

    ID is any that a command or the log prints: a queue id (its beginning is enough), a delivery id, or a Message-ID,
    with or without its angle brackets.
    """
    from relay.cli.mail_show import details_json, trace_mail
    from relay.storage import admin

    settings = load(config)
    engine = open_storage(settings)
    mails = [admin.show_message(engine, message_id) for message_id in admin.find_messages(engine, id)]
    now = time.time_ns() // 1_000_000
    standstill = find_standstill(engine, settings, now)
    if as_json:
        print_json(details_json(mails, now, standstill))
    else:
        for n, mail in enumerate(mails):
            if n:
                say()
            trace_mail(mail, now, standstill)
    tell_if_stopped(settings)
