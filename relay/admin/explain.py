"""The rules applied to a mail that is not sent, or that comes in: what would become of it, and why."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from relay.admin.answers import Explanation, Sheet
from relay.admin.dry_run import Answer, Question, ask
from relay.admin.mail_answers import ExplainedIncoming, ExplainedMail
from relay.admin.requests import Explain, ExplainIncoming, MisuseError
from relay.admin.room import Room
from relay.admin.words import unknown
from relay.escaping import printable
from relay.intake.connection_limits import client_ip
from relay.planning import MailPlan
from relay.rules.distribution import plan_distribution
from relay.rules.message_splitter import split_message
from relay.rules.refusals import speak
from relay.settings import Settings

_ANYBODY = "somebody@elsewhere.example"


def explain(room: Room, request: Explain) -> Iterator[Explanation]:
    """Say what the service would answer, word for word, and by which rule. Raises MisuseError."""
    settings = room.settings
    if request.user is not None and settings.directory.user(request.user) is None:
        raise _bad("user", unknown("user", request.user, [one.name for one in settings.directory.users]))
    if not 1 <= request.listener <= len(settings.listeners):
        raise _bad("listener", f"there is no such one; there are: {len(settings.listeners)}")
    question = Question(
        ip=_read_ip(request.ip or "127.0.0.1") if request.device is None else _address_of(settings, request.device),
        connects=request.ip is not None or request.device is not None,
        listener=settings.listeners[request.listener - 1],
        login=request.user,
        to=request.to or (_ANYBODY,),
        null_sender=request.null_sender,
        smtputf8=request.smtputf8,
        message=request.message,
    )
    mail = _put(question, ask(settings, question))
    yield Explanation(mail=mail, sheet=_sheet(mail))


def explain_incoming(room: Room, request: ExplainIncoming) -> Iterator[Explanation]:
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
    incoming = ExplainedIncoming(
        account=name,
        polled=account.is_collected,
        users=tuple({"user": share.user, "address": str(share.address)} for share in plan.shares),
        why=tuple(plan.steps),
    )
    yield Explanation(incoming=incoming, sheet=Sheet(facts=facts, lines=_number(incoming.why)))


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


def _put(question: Question, answer: Answer) -> ExplainedMail:
    """Put an answer into words."""
    base = ExplainedMail(
        sent=answer.reply is None,
        user=question.login,
        recipients=tuple(map(str, answer.recipients)),
        refused_recipients=tuple(
            {"recipient": path, "reply": str(speak(reply, answer.language))} for path, reply in answer.refused
        ),
        reply=None if answer.reply is None else str(speak(answer.reply, answer.language)),
        why=tuple(f"The recipient {path} is refused: {reply}." for path, reply in answer.refused),
    )
    if answer.outcome is None:
        return replace(base, why=(*base.why, f"Refused before the account rules are asked: {answer.reply}."))
    plan = answer.outcome
    decided = plan.route if isinstance(plan, MailPlan) else plan
    base = replace(
        base,
        user=decided.user,
        identity=decided.identity,
        rule=decided.rule,
        account=decided.account,
        sender_before=None if decided.sender_before is None else str(decided.sender_before),
        why=(*base.why, *decided.steps),
    )
    if not isinstance(plan, MailPlan):
        return base
    route = plan.route
    return replace(
        base,
        sender_after=str(route.sender_after),
        envelope_sender="<>" if route.reverse_path is None else route.reverse_path.wire,
        blind_copy=tuple(map(str, plan.archive.recipients)),
        changes=tuple(f"{edit.name}: {edit.why}" for edit in route.edits),
        why=(*base.why, *plan.archive.steps),
    )


def _sheet(told: ExplainedMail) -> Sheet:
    user, none = told.user or "nobody", "none" if told.sent else ""
    if told.identity is not None:
        user += f" (known by: {told.identity})"
    facts = (
        ("Result", "would be sent" if told.sent else f"refused: {told.reply}"),
        ("User", user),
        ("Rule", told.rule or ""),
        ("Account", told.account or ""),
        ("Sender before", told.sender_before or ("none" if told.identity else "")),
        ("Sender after", told.sender_after or ""),
        ("Envelope sender", told.envelope_sender or ""),
        ("Recipients", ", ".join(told.recipients)),
        ("Refused", "\n".join(f"{one['recipient']}: {one['reply']}" for one in told.refused_recipients)),
        ("Blind copy", ", ".join(told.blind_copy) or none),
        ("Changes", "\n".join(told.changes) or none),
    )
    return Sheet(facts=facts, lines=_number(told.why))


def _number(steps: tuple[str, ...]) -> tuple[str, ...]:
    return ("Why", *(f"  {number}. {printable(step)}" for number, step in enumerate(steps, 1)))
