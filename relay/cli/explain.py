"""`relay explain`: the rules applied to a mail that is not sent."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from relay.cli.configuration import config_option, json_option, load, plain_faults
from relay.cli.output import clean, print_facts, print_json
from relay.model.envelope import Client, Envelope
from relay.model.route import Refusal, RoutePlan
from relay.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What would become of a mail."""

    sent: bool
    user: str | None
    identity: str
    rule: str | None
    account: str | None
    sender_before: str | None
    sender_after: str | None
    envelope_sender: str | None
    blind_copy: list[str]
    changes: list[str]
    reply: str | None
    why: list[str]


@click.command("explain")
@config_option
@json_option
@click.option("--user", help="Who submits, as if he had logged in.")
@click.option("--ip", default="127.0.0.1", show_default=True, help="The client's address, for devices.")
@click.option("--from", "from_", metavar="ADDRESS", help="A From address, in place of a message.")
@click.option("--to", "to", multiple=True, metavar="ADDRESS", help="A recipient; may be repeated.")
@click.option("--incoming", is_flag=True, help="A mail that comes in by --account's mailbox: who gets it?")
@click.option("--account", help="The account whose mailbox it comes from, with --incoming.")
@click.option("--listener", type=int, default=1, show_default=True, help="Which [[listener]], for its default_user.")
@click.argument("message", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@plain_faults
def command(
    config: str | None,
    *,
    as_json: bool,
    user: str | None,
    ip: str,
    from_: str | None,
    to: tuple[str, ...],
    incoming: bool,
    account: str | None,
    listener: int,
    message: Path | None,
) -> None:
    """Say which rule chooses which account, what is rewritten, where the blind copy goes, or why it is refused.

    Give a From address, a MESSAGE file, or neither: a mail without From. Nothing is sent, nothing is written.
    With --incoming MESSAGE --account NAME: say in whose inbox a collected mail would stand, and why.
    """
    if incoming or account is not None:
        if not incoming or account is None or message is None:
            raise click.UsageError("--incoming takes a MESSAGE and --account NAME")
        _explain_incoming(load(config), account, message, as_json=as_json)
        return
    if message is not None and from_ is not None:
        raise click.UsageError("give --from or a message, not both")
    settings = load(config)
    if user is not None and settings.directory.user(user) is None:
        raise click.BadParameter(f"there is no user {user!r} in {settings.path}", param_hint="--user")
    if not 1 <= listener <= len(settings.listeners):
        raise click.BadParameter(f"there are {len(settings.listeners)} listeners", param_hint="--listener")
    try:
        address = ipaddress.ip_address(ip)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--ip") from None
    client = Client(ip=address, login=user, default_user=settings.listeners[listener - 1].default_user)
    explanation = explain(settings, client, _header(from_, message), to or ("somebody@elsewhere.example",))
    if as_json:
        print_json(explanation)
    else:
        show(explanation)


def _explain_incoming(settings: Settings, name: str, message: Path, *, as_json: bool) -> None:
    from relay.rules.distribution import plan_distribution

    account = settings.directory.account(name)
    if account is None or account.pop3 is None:
        raise click.BadParameter(f"there is no account {name!r} with a mailbox", param_hint="--account")
    plan = plan_distribution(directory=settings.directory, account=account, header=_header(None, message))
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


def _header(from_: str | None, message: Path | None) -> bytes:
    if message is not None:
        from relay.rules.sections import split_message

        return split_message(message.read_bytes())[0]
    if from_ is None:
        return b""
    return b"From: " + from_.encode("utf-8", "surrogateescape").replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"


def explain(settings: Settings, client: Client, header: bytes, to: tuple[str, ...]) -> Explanation:
    """Apply the rules. Raises click.BadParameter where a recipient is no address."""
    from relay.bcc_archive import plan_archive
    from relay.routing import check_loop, plan_route
    from relay.rules.address import parse_addr_spec

    try:
        recipients = tuple(parse_addr_spec(address) for address in to)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from None
    # Any reverse-path but the null one is rewritten, so that its spelling decides nothing.
    envelope = Envelope(reverse_path=recipients[0], recipients=recipients)
    decision = check_loop(header, settings.hostname) or plan_route(
        directory=settings.directory, client=client, envelope=envelope, header=header
    )
    if isinstance(decision, Refusal):
        return _refused(decision)
    account = settings.directory.account(decision.account)
    assert account is not None
    archive = plan_archive(
        policy=settings.archive, account=account, reverse_path=decision.reverse_path, recipients=recipients
    )
    return _sent(decision, [str(a) for a in archive.recipients], archive.steps)


def _refused(refusal: Refusal) -> Explanation:
    return Explanation(
        sent=False,
        user=refusal.user,
        identity=refusal.identity,
        rule=refusal.rule,
        account=refusal.account,
        sender_before=None if refusal.sender_before is None else str(refusal.sender_before),
        sender_after=None,
        envelope_sender=None,
        blind_copy=[],
        changes=[],
        reply=str(refusal.reply),
        why=list(refusal.steps),
    )


def _sent(plan: RoutePlan, blind_copy: list[str], steps: tuple[str, ...]) -> Explanation:
    return Explanation(
        sent=True,
        user=plan.user,
        identity=plan.identity,
        rule=plan.rule,
        account=plan.account,
        sender_before=None if plan.sender_before is None else str(plan.sender_before),
        sender_after=str(plan.sender_after),
        envelope_sender="<>" if plan.reverse_path is None else str(plan.reverse_path),
        blind_copy=blind_copy,
        changes=[f"{edit.name}: {edit.why}" for edit in plan.edits],
        reply=None,
        why=[*plan.steps, *steps],
    )


def show(explanation: Explanation) -> None:
    """Print an explanation for people."""
    print_facts(
        [
            ("Result", "would be sent" if explanation.sent else f"refused: {explanation.reply}"),
            ("User", f"{explanation.user or 'nobody'} (known by: {explanation.identity})"),
            ("Rule", explanation.rule),
            ("Account", explanation.account),
            ("Sender before", explanation.sender_before or "none"),
            ("Sender after", explanation.sender_after),
            ("Envelope sender", explanation.envelope_sender),
            ("Blind copy", explanation.blind_copy or ("none" if explanation.sent else None)),
            ("Changes", "\n".join(explanation.changes) or ("none" if explanation.sent else None)),
        ]
    )
    _show_why(explanation.why)


def _show_why(steps: Sequence[str]) -> None:
    click.echo("Why")
    for number, step in enumerate(steps, 1):
        click.echo(f"  {number}. {clean(step)}")
