"""The rules applied to a mail that is not sent, or that comes in: what would become of it, and why."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from relay.admin.dry_run import Answer, ask
from relay.admin.requests import Explain, ExplainIncoming, Json, MisuseError, Told
from relay.admin.room import Room
from relay.admin.words import unknown
from relay.escaping import printable
from relay.intake.connection_limits import client_ip
from relay.model.route import Refusal
from relay.planning import MailPlan
from relay.rules.distribution import plan_distribution
from relay.rules.message_splitter import split_message
from relay.rules.refusals import speak
from relay.settings import Settings


def explain(room: Room, request: Explain) -> Iterator[Told]:
    """Say what the service would answer, word for word, and by which rule. Raises MisuseError."""
    settings = room.settings
    if request.user is not None and settings.directory.user(request.user) is None:
        raise _bad("user", unknown("user", request.user, [one.name for one in settings.directory.users]))
    if not 1 <= request.listener <= len(settings.listeners):
        raise _bad("listener", f"there is no such one; there are: {len(settings.listeners)}")
    ip = _read_ip(request.ip or "127.0.0.1") if request.device is None else _address_of(settings, request.device)
    answer = ask(settings, request, ip, connects=request.ip is not None or request.device is not None)
    mail = _view(request.user, answer, settings.language)
    yield Told(json=(mail,), facts=_facts(mail), lines=_number(mail["why"]))


def explain_incoming(room: Room, request: ExplainIncoming) -> Iterator[Told]:
    """Say in whose inbox a mail would stand that an account's mailbox brings. Raises MisuseError."""
    directory, name = room.settings.directory, request.account
    account = directory.account(name)
    if account is None or account.mailbox is None:
        known = [one.name for one in directory.accounts if one.mailbox is not None]
        raise _bad("account", unknown("account with a mailbox", name, known))
    plan = plan_distribution(directory=directory, account=account, header=split_message(request.message)[0])
    facts = (
        ("Result", f"stands in the inbox of {', '.join(share.user for share in plan.shares)}"),
        ("Account", name if account.is_collected else f"{name} (not polled: excluded, or receive = false)"),
    )
    incoming = {
        "account": name,
        "polled": account.is_collected,
        "users": [{"user": share.user, "address": str(share.address)} for share in plan.shares],
        "why": plan.steps,
    }
    yield Told(json=(incoming,), facts=facts, lines=_number(plan.steps))


def _bad(option: str, text: str) -> MisuseError:
    return MisuseError(f"Invalid value for --{option}: {text}")


def _read_ip(text: str) -> IPv4Address | IPv6Address:
    try:
        return client_ip(text)
    except ValueError as error:
        raise _bad("ip", str(error)) from None


def _address_of(settings: Settings, name: str) -> IPv4Address | IPv6Address:
    """Give an address by which a client is known as this device."""
    directory = settings.directory
    device = next((one for one in directory.devices if one.name == name), None)
    if device is None:
        known = [one.name for one in directory.devices]
        raise _bad("device", unknown("device", name, known))
    for network in device.networks:
        for address in (network.network_address, network.broadcast_address):
            if directory.device_at(address) is device:
                return address
    raise _bad("device", f"{name!r} is never found: devices before it have its addresses")


def _view(user: str | None, answer: Answer, language: str) -> dict[str, Json]:
    """Return what would become of a mail, as JSON: `reply` is what the client reads where it is refused."""
    plan = answer.outcome if isinstance(answer.outcome, MailPlan) else None
    route = None if plan is None else plan.route
    decided = answer.outcome if isinstance(answer.outcome, Refusal) else route
    before = None if decided is None else decided.sender_before
    steps = [f"The recipient {path} is refused: {reply}." for path, reply in answer.refused]
    if decided is None:
        steps.append(f"Refused before the account rules are asked: {answer.reply}.")
    else:
        steps += decided.steps
    return {
        "sent": answer.reply is None,
        "user": user if decided is None else decided.user,
        "identity": None if decided is None else decided.identity,
        "rule": None if decided is None else decided.rule,
        "account": None if decided is None else decided.account,
        "sender_before": None if before is None else str(before),
        "sender_after": None if route is None else str(route.sender_after),
        "envelope_sender": None if route is None else route.reverse_path.wire if route.reverse_path else "<>",
        "recipients": list(map(str, answer.recipients)),
        "refused_recipients": [
            {"recipient": path, "reply": str(speak(reply, language))} for path, reply in answer.refused
        ],
        "blind_copy": [] if plan is None else list(map(str, plan.archive.recipients)),
        "changes": [] if route is None else [f"{edit.name}: {edit.why}" for edit in route.edits],
        "reply": None if answer.reply is None else str(speak(answer.reply, language)),
        "why": [*steps, *(() if plan is None else plan.archive.steps)],
    }


def _facts(told: dict[str, Json]) -> tuple[tuple[str, str], ...]:
    user, none = told["user"] or "nobody", "none" if told["sent"] else ""
    if told["identity"] is not None:
        user += f" (known by: {told['identity']})"
    return (
        ("Result", "would be sent" if told["sent"] else f"refused: {told['reply']}"),
        ("User", user),
        ("Rule", told["rule"] or ""),
        ("Account", told["account"] or ""),
        ("Sender before", told["sender_before"] or ("none" if told["identity"] else "")),
        ("Sender after", told["sender_after"] or ""),
        ("Envelope sender", told["envelope_sender"] or ""),
        ("Recipients", ", ".join(told["recipients"])),
        ("Refused", "\n".join(f"{one['recipient']}: {one['reply']}" for one in told["refused_recipients"])),
        ("Blind copy", ", ".join(told["blind_copy"]) or none),
        ("Changes", "\n".join(told["changes"]) or none),
    )


def _number(steps: Sequence[str]) -> tuple[str, ...]:
    return ("Why", *(f"  {number}. {printable(step)}" for number, step in enumerate(steps, 1)))
