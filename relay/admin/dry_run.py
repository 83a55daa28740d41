"""A question to the service without a service: what would it answer to this mail, and why.

Whatever can be decided without the network, the disk and the clock is asked of the same functions as in a session, in
the same order: may the client connect, must it log in, is each recipient one, is the mail one, then the account rules.
"""

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address

from relay.intake.commands import TOO_MANY_RECIPIENTS, offers_login, read_recipient, refuse_without_login
from relay.intake.connection_limits import refuse_ip
from relay.intake.content_limits import most_refused, refuse_header, refuse_octets
from relay.intake.path import BadCommandError
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.reply import Reply
from relay.model.route import Refusal
from relay.planning import MailPlan, plan_mail
from relay.rules.dot_stuffing import LineEnds
from relay.rules.message_splitter import MessageSplitter
from relay.settings import Limits, Listener, ListenerTls, Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One mail, and who hands it in how."""

    ip: IPv4Address | IPv6Address
    listener: Listener
    connects: bool
    """Whether the answer depends on whether this address may connect."""
    login: str | None
    to: tuple[str, ...]
    """The paths of RCPT, with or without brackets."""
    null_sender: bool
    smtputf8: bool
    message: bytes
    """The mail as a file holds it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the service would do."""

    outcome: MailPlan | Refusal | None
    """What the rules say; None where the mail would not come so far."""
    reply: Reply | None
    """Why it is refused; None: it would be sent."""
    recipients: tuple[Address, ...] = ()
    """Those that are taken, each once."""
    refused: tuple[tuple[str, Reply], ...] = ()
    """The other recipients, as they were written, and why."""
    language: str = "en"
    """What the client would read it in, beside English."""


def ask(settings: Settings, question: Question) -> Answer:
    """Answer a question as the service would."""
    return replace(_answer(settings, question), language=settings.language)


def _answer(settings: Settings, question: Question) -> Answer:
    refusal = _refuse_client(settings, question)
    if refusal is not None:
        return Answer(outcome=None, reply=refusal)
    taken, refused = _read_recipients(settings, question)
    if not taken:
        return Answer(outcome=None, reply=refused[0][1], refused=refused)
    # The spelling of any reverse-path but the null one decides nothing.
    envelope = Envelope(
        reverse_path=None if question.null_sender else taken[0], recipients=taken, smtputf8=question.smtputf8
    ).distinct()
    header = _read_header(question.message, settings.limits, most=question.listener.max_message_size)
    if isinstance(header, Reply):
        return Answer(outcome=None, reply=header, recipients=envelope.recipients, refused=refused)
    outcome = plan_mail(
        directory=settings.directory,
        archive=settings.archive,
        hostname=settings.hostname,
        client=Client(ip=question.ip, login=question.login, default_user=question.listener.default_user),
        envelope=envelope,
        header=header,
    )
    reply = outcome.reply if isinstance(outcome, Refusal) else None
    return Answer(outcome=outcome, reply=reply, recipients=envelope.recipients, refused=refused)


def _refuse_client(settings: Settings, question: Question) -> Reply | None:
    listener = question.listener
    refusal = refuse_ip(question.ip, listener.networks) if question.connects else None
    may_log_in = offers_login(
        listener,
        question.ip,
        over_tls=listener.tls is not ListenerTls.NONE,  # where TLS is offered, the client uses it
        has_passwords=any(user.password_hash for user in settings.directory.users),
    )
    return refusal or refuse_without_login(listener, question.login, may_log_in=may_log_in)


def _read_recipients(
    settings: Settings, question: Question
) -> tuple[tuple[Address, ...], tuple[tuple[str, Reply], ...]]:
    taken: list[Address] = []
    refused: list[tuple[str, Reply]] = []
    for path in question.to:
        argument = f"TO:{path}" if path.startswith("<") else f"TO:<{path}>"
        try:
            recipient, _ = read_recipient(
                argument, esmtp=True, smtputf8=question.smtputf8, postmaster=settings.directory.postmaster_address
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
    lines = LineEnds()
    content = lines.feed(message) + lines.close()
    cut_off = most_refused(most)  # whoever sends more is told before its end, when nobody knows the size
    refusal = refuse_octets(len(content), most=most, too_long=lines.too_long, whole=len(content) <= cut_off)
    if refusal is not None:
        return refusal.reply
    splitter = MessageSplitter(header_limit=limits.header_size)
    splitter.feed(content)
    refusal = refuse_header(splitter, most=limits.header_size)
    if refusal is not None:
        return refusal.reply
    splitter.close()
    return splitter.header or b""
