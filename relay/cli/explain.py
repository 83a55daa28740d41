"""`relay explain`: the rules applied to a mail that is not sent, by the file as it stands, in force or not."""

import os
from pathlib import Path
from typing import Any

import click

from relay.admin.desk import answer
from relay.admin.requests import Explain, ExplainIncoming
from relay.cli.alone import open_room
from relay.cli.configuration import config_option, json_option, read_for_owner
from relay.cli.telling import tell
from relay.model.ids import is_id
from relay.settings import Settings


class _Mail(click.Path):
    """A file with a mail; where there is none, what to do is said."""

    def convert(
        self, value: "str | os.PathLike[str]", param: click.Parameter | None, ctx: click.Context | None
    ) -> "str | bytes | os.PathLike[str]":
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            advice = "Mend the name, or go to its folder"
            if is_id(os.fsdecode(value)):
                advice = f"That is a queue id: relay trace {os.fsdecode(value)}"
            raise click.BadParameter(f"{error.message} {advice}", ctx, param) from None


@click.command("explain")
@config_option
@json_option
@click.option("--user", help="Who submits, as if he had logged in.")
@click.option("--ip", help="The client's address; default: 127.0.0.1, let in by every listener.")
@click.option("--device", metavar="NAME", help="The client is this [[device]], in place of --ip.")
@click.option("--from", "from_", metavar="ADDRESS", help="A From address, in place of a message.")
@click.option("--to", "to", multiple=True, metavar="PATH", help="A recipient, as RCPT has it; may be repeated.")
@click.option("--null-sender", is_flag=True, help="The envelope's sender is <>, as of a notice.")
@click.option(
    "--smtputf8/--no-smtputf8", default=True, help="Whether the client asks for it; default: where it needs it."
)
@click.option("--incoming", is_flag=True, help="A mail that comes in by --account's mailbox: who gets it?")
@click.option("--account", help="The account whose mailbox it comes from, with --incoming.")
@click.option("--listener", type=int, default=1, show_default=True, help="Which [[listener]] the client connects to.")
@click.argument("message", required=False, type=_Mail(exists=True, dir_okay=False, path_type=Path))
def command(
    config: str | None,
    *,
    as_json: bool,
    from_: str | None,
    incoming: bool,
    account: str | None,
    message: Path | None,
    **asked: Any,  # noqa: ANN401 - the other options: the fields of a request
) -> None:
    """Say which rule chooses which account, what is rewritten, where the blind copy goes, or why it is refused.

    Give a From address, a MESSAGE file, or neither: a mail without From. Nothing is sent, nothing is written. A refusal
    is what the service would answer, word for word. Where a listener offers TLS, the client is taken to use it.

    With --incoming MESSAGE --account NAME: say in whose inbox a collected mail would stand, and why.
    """
    if (incoming or account is not None) and (not incoming or account is None or message is None):
        raise click.UsageError("--incoming takes a MESSAGE and --account NAME")
    if message is not None and from_ is not None and not incoming:
        raise click.UsageError("give --from or a message, not both")
    if asked["ip"] is not None and asked["device"] is not None and not incoming:
        raise click.UsageError("give --ip or --device, not both")
    for path in () if incoming else asked["to"]:
        if any(char < " " or char == "\x7f" for char in path):
            raise click.BadParameter(f"{path!r} has a control character, which no command can hold", param_hint="--to")
    room = open_room(config)
    content = _read(room.settings, message, from_)
    request = (
        Explain(message=content, **asked) if account is None else ExplainIncoming(message=content, account=account)
    )
    tell(answer(room, request), as_json=as_json, single=True)


def _read(settings: Settings, message: Path | None, from_: str | None) -> bytes:
    if message is None:
        address = (from_ or "").encode("utf-8", "surrogateescape").replace(b"\r", b"").replace(b"\n", b"")
        return b"" if from_ is None else b"From: " + address + b"\r\n"
    try:
        return read_for_owner(settings, message)
    except OSError as error:
        raise click.BadParameter(f"{message}: {error.strerror}", param_hint="MESSAGE") from None
