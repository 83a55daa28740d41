"""`relay explain`: the rules applied to a mail that is not sent."""

import contextlib
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relay.admin.words import unknown
from relay.cli.configuration import config_option, enter, json_option, load, plain_faults
from relay.cli.output import clean, print_facts, print_json
from relay.model.errors import StorageError
from relay.settings import Settings

if TYPE_CHECKING:
    from relay.admin.dry_run import Answer, Question

_ANYBODY = "somebody@elsewhere.example"


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What would become of a mail."""

    sent: bool
    user: str | None
    identity: str | None = None
    """How it is known who submits; None where the mail would not come so far."""
    rule: str | None = None
    account: str | None = None
    sender_before: str | None = None
    sender_after: str | None = None
    envelope_sender: str | None = None
    recipients: list[str]
    refused_recipients: list[dict[str, str]]
    """Each with `recipient`, as it was written, and `reply`; the mail goes to the others."""
    blind_copy: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    reply: str | None
    """What the client reads if the mail is refused, code and text."""
    why: list[str]


class _Mail(click.Path):
    """A file with a mail; where there is none, what to do is said."""

    def convert(
        self, value: "str | os.PathLike[str]", param: click.Parameter | None, ctx: click.Context | None
    ) -> "str | bytes | os.PathLike[str]":
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            raise click.BadParameter(f"{error.message} Mend the name, or go to its folder", ctx, param) from None


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
@plain_faults
def command(  # noqa: PLR0913 - each option is one
    config: str | None,
    *,
    as_json: bool,
    user: str | None,
    ip: str | None,
    device: str | None,
    from_: str | None,
    to: tuple[str, ...],
    null_sender: bool,
    smtputf8: bool,
    incoming: bool,
    account: str | None,
    listener: int,
    message: Path | None,
) -> None:
    """Say which rule chooses which account, what is rewritten, where the blind copy goes, or why it is refused.

    Give a From address, a MESSAGE file, or neither: a mail without From. Nothing is sent, nothing is written. A refusal
    is what the service would answer, word for word. Where a listener offers TLS, the client is taken to use it.

    With --incoming MESSAGE --account NAME: say in whose inbox a collected mail would stand, and why.
    """
    if incoming or account is not None:
        if not incoming or account is None or message is None:
            raise click.UsageError("--incoming takes a MESSAGE and --account NAME")
        _explain_incoming(load(config), account, message, as_json=as_json)
        return
    if message is not None and from_ is not None:
        raise click.UsageError("give --from or a message, not both")
    if ip is not None and device is not None:
        raise click.UsageError("give --ip or --device, not both")
    for path in to:
        if any(char < " " or char == "\x7f" for char in path):
            raise click.BadParameter(f"{path!r} has a control character, which no command can hold", param_hint="--to")

    from relay.admin.dry_run import Question, ask

    settings = load(config)
    if user is not None and settings.directory.user(user) is None:
        known = [one.name for one in settings.directory.users]
        raise click.BadParameter(unknown("user", user, known), param_hint="--user")
    if not 1 <= listener <= len(settings.listeners):
        raise click.BadParameter(f"there is no such one; there are: {len(settings.listeners)}", param_hint="--listener")
    question = Question(
        ip=_address_of(settings, device) if device is not None else _read_ip(ip or "127.0.0.1"),
        connects=ip is not None or device is not None,
        listener=settings.listeners[listener - 1],
        login=user,
        to=to or (_ANYBODY,),
        null_sender=null_sender,
        smtputf8=smtputf8,
        message=_message(settings, from_, message),
    )
    explanation = explain(question, ask(settings, question))
    if as_json:
        print_json(explanation)
    else:
        show(explanation)


def _read_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    from relay.intake.connection_limits import client_ip

    try:
        return client_ip(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--ip") from None


def _address_of(settings: Settings, name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Give an address by which a client is known as this device."""
    directory = settings.directory
    device = next((one for one in directory.devices if one.name == name), None)
    if device is None:
        known = [one.name for one in directory.devices]
        raise click.BadParameter(unknown("device", name, known), param_hint="--device")
    for network in device.networks:
        for address in (network.network_address, network.broadcast_address):
            if directory.device_at(address) is device:
                return address
    raise click.BadParameter(f"{name!r} is never found: devices before it have its addresses", param_hint="--device")


def _explain_incoming(settings: Settings, name: str, message: Path, *, as_json: bool) -> None:
    from relay.rules.distribution import plan_distribution
    from relay.rules.message_splitter import split_message

    account = settings.directory.account(name)
    if account is None or account.pop3 is None:
        known = [one.name for one in settings.directory.accounts if one.pop3 is not None]
        raise click.BadParameter(unknown("account with a mailbox", name, known), param_hint="--account")
    plan = plan_distribution(
        directory=settings.directory, account=account, header=split_message(_read(settings, message))[0]
    )
    users = [{"user": share.user, "address": str(share.address)} for share in plan.shares]
    if as_json:
        print_json({"account": name, "polled": account.is_collected, "users": users, "why": list(plan.steps)})
        return
    print_facts(
        [
            ("Result", f"stands in the inbox of {', '.join(share.user for share in plan.shares)}"),
            ("Account", name if account.is_collected else f"{name} (not polled: excluded, or receive = false)"),
        ]
    )
    _show_why(plan.steps)


def _message(settings: Settings, from_: str | None, message: Path | None) -> bytes:
    if message is not None:
        return _read(settings, message)
    if from_ is None:
        return b""
    return b"From: " + from_.encode("utf-8", "surrogateescape").replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"


def _read(settings: Settings, message: Path) -> bytes:
    """Read a mail. What the storage folder's owner could have put there, root reads with his rights alone."""
    from relay.storage.elsewhere import is_for_root
    from relay.storage.owner import find_owner

    owner = None
    with contextlib.suppress(StorageError):  # no folder, or none that root would use: nothing of it is opened here
        owner = find_owner(settings.folder)
    if owner is not None and not is_for_root(message, owner):
        enter(settings)
    try:
        return message.read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{message}: {error.strerror}", param_hint="MESSAGE") from None


def explain(question: "Question", answer: "Answer") -> Explanation:
    """Put an answer into words."""
    from relay.planning import MailPlan
    from relay.rules.refusals import speak

    base = Explanation(
        sent=answer.reply is None,
        user=question.login,
        recipients=[str(address) for address in answer.recipients],
        refused_recipients=[
            {"recipient": path, "reply": str(speak(reply, answer.language))} for path, reply in answer.refused
        ],
        reply=None if answer.reply is None else str(speak(answer.reply, answer.language)),
        why=[f"The recipient {path} is refused: {reply}." for path, reply in answer.refused],
    )
    if answer.outcome is None:
        return replace(base, why=[*base.why, f"Refused before the account rules are asked: {answer.reply}."])
    plan = answer.outcome
    decided = plan.route if isinstance(plan, MailPlan) else plan
    base = replace(
        base,
        user=decided.user,
        identity=decided.identity,
        rule=decided.rule,
        account=decided.account,
        sender_before=None if decided.sender_before is None else str(decided.sender_before),
        why=[*base.why, *decided.steps],
    )
    if not isinstance(plan, MailPlan):
        return base
    route = plan.route
    return replace(
        base,
        sender_after=str(route.sender_after),
        envelope_sender="<>" if route.reverse_path is None else route.reverse_path.wire,
        blind_copy=[str(address) for address in plan.archive.recipients],
        changes=[f"{edit.name}: {edit.why}" for edit in route.edits],
        why=[*base.why, *plan.archive.steps],
    )


def show(explanation: Explanation) -> None:
    """Print an explanation for people."""
    user = explanation.user or "nobody"
    if explanation.identity is not None:
        user += f" (known by: {explanation.identity})"
    refused = [f"{one['recipient']}: {one['reply']}" for one in explanation.refused_recipients]
    print_facts(
        [
            ("Result", "would be sent" if explanation.sent else f"refused: {explanation.reply}"),
            ("User", user),
            ("Rule", explanation.rule),
            ("Account", explanation.account),
            ("Sender before", explanation.sender_before or ("none" if explanation.identity else None)),
            ("Sender after", explanation.sender_after),
            ("Envelope sender", explanation.envelope_sender),
            ("Recipients", explanation.recipients),
            ("Refused", "\n".join(refused)),
            ("Blind copy", explanation.blind_copy or ("none" if explanation.sent else None)),
            ("Changes", "\n".join(explanation.changes) or ("none" if explanation.sent else None)),
        ]
    )
    _show_why(explanation.why)


def _show_why(steps: Sequence[str]) -> None:
    click.echo("Why")
    for number, step in enumerate(steps, 1):
        click.echo(f"  {number}. {clean(step)}")
