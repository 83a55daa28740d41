"""The rules applied to a mail that is not sent, or that comes in: what would become of it, and why.

Whatever can be decided without the network, the disk and the clock is asked of the same functions as in a session, in
the same order: may the client connect, must it log in, is each recipient one, is the mail one, then the account rules.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from relay.admin.requests import Explain, ExplainIncoming, Json, MisuseError, Told
from relay.admin.room import Room
from relay.admin.words import unknown
from relay.escaping import printable
from relay.intake.commands import (
    TOO_MANY_RECIPIENTS,
    BadCommandError,
    most_refused,
    offers_login,
    read_recipient,
    refuse_header,
    refuse_octets,
    refuse_without_login,
)
from relay.intake.connection_limits import client_ip, refuse_ip
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.reply import Reply
from relay.model.route import Refusal
from relay.planning import MailPlan, plan_mail
from relay.rules.distribution import plan_distribution
from relay.rules.dot_stuffing import has_long_line, read_lines
from relay.rules.message_splitter import MessageSplitter, split_message
from relay.rules.refusals import speak
from relay.settings import Limits, ListenerTls, Settings

_ANYBODY: Final = "somebody@elsewhere.example"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the service would do."""

    outcome: MailPlan | Refusal | None = None
    """What the rules say; None where the mail would not come so far."""
    reply: Reply | None
    """Why it is refused; None: it would be sent."""
    recipients: tuple[Address, ...] = ()
    """Those that are taken, each once."""
    refused: tuple[tuple[str, Reply], ...] = ()
    """The other recipients, as they were written, and why."""


def explain(room: Room, request: Explain) -> Iterator[Told]:
    """Say what the service would answer, word for word, and by which rule. Raises MisuseError."""
    settings = room.settings
    if request.user is not None and settings.directory.user(request.user) is None:
        raise _bad("user", unknown("user", request.user, [one.name for one in settings.directory.users]))
    if not 1 <= request.listener <= len(settings.listeners):
        raise _bad("listener", f"there is no such one; there are: {len(settings.listeners)}")
    try:
        ip = client_ip(request.ip or "127.0.0.1") if request.device is None else _address_of(settings, request.device)
    except ValueError as error:
        raise _bad("ip", str(error)) from None
    answer = _ask(settings, request, ip, connects=request.ip is not None or request.device is not None)
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


def _ask(settings: Settings, request: Explain, ip: IPv4Address | IPv6Address, *, connects: bool) -> Answer:
    """Answer as the service would to a client at `ip`; `connects`: it depends on whether that may connect."""
    listener = settings.listeners[request.listener - 1]
    refusal = refuse_ip(ip, listener.networks) if connects else None
    may_log_in = offers_login(
        listener,
        ip,
        over_tls=listener.tls is not ListenerTls.NONE,  # where TLS is offered, the client uses it
        has_passwords=any(user.password_hash for user in settings.directory.users),
    )
    refusal = refusal or refuse_without_login(listener, request.user, may_log_in=may_log_in)
    if refusal is not None:
        return Answer(reply=refusal)
    taken, refused = _read_recipients(settings, request.to or (_ANYBODY,), smtputf8=request.smtputf8)
    if not taken:
        return Answer(reply=refused[0][1], refused=refused)
    # The spelling of any reverse-path but the null one decides nothing.
    envelope = Envelope(
        reverse_path=None if request.null_sender else taken[0], recipients=taken, smtputf8=request.smtputf8
    ).distinct()
    header = _read_header(request.message, settings.limits, most=listener.max_message_size)
    if isinstance(header, Reply):
        return Answer(reply=header, recipients=envelope.recipients, refused=refused)
    outcome = plan_mail(
        directory=settings.directory,
        archive=settings.archive,
        hostname=settings.hostname,
        client=Client(ip=ip, login=request.user, default_user=listener.default_user),
        envelope=envelope,
        header=header,
    )
    reply = outcome.reply if isinstance(outcome, Refusal) else None
    return Answer(outcome=outcome, reply=reply, recipients=envelope.recipients, refused=refused)


def _read_recipients(
    settings: Settings, paths: tuple[str, ...], *, smtputf8: bool
) -> tuple[tuple[Address, ...], tuple[tuple[str, Reply], ...]]:
    taken: list[Address] = []
    refused: list[tuple[str, Reply]] = []
    for path in paths:
        argument = f"TO:{path}" if path.startswith("<") else f"TO:<{path}>"
        try:
            recipient, _ = read_recipient(
                argument, esmtp=True, smtputf8=smtputf8, postmaster=settings.directory.postmaster_address
            )
        except BadCommandError as error:
            refused.append((path, error.reply))
            continue
        if len(taken) < settings.limits.recipients_per_message:
            taken.append(recipient)
        else:
            refused.append((path, TOO_MANY_RECIPIENTS))
    return tuple(taken), tuple(refused)


def _read_header(message: bytes, limits: Limits, *, most: int) -> bytes | Reply:
    """Give the header of a mail, or why it is no mail that could be taken."""
    content = read_lines(message)
    cut_off = most_refused(most)  # whoever sends more is told before its end, when nobody knows the size
    refusal = refuse_octets(len(content), most=most, too_long=has_long_line(content), whole=len(content) <= cut_off)
    if refusal is not None:
        return refusal.reply
    splitter = MessageSplitter(header_limit=limits.header_size)
    splitter.feed(content)
    refusal = refuse_header(splitter, most=limits.header_size)
    if refusal is not None:
        return refusal.reply
    splitter.close()
    return splitter.header or b""
