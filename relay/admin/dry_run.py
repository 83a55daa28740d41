"""A question to the service without a service: what would it answer to this mail, and why.

Whatever can be decided without the network, the disk and the clock is asked of the same functions as in a session, in
the same order: may the client connect, must it log in, is each recipient one, is the mail one, then the account rules.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from relay.admin.requests import Explain
from relay.intake.commands import (
    TOO_MANY_RECIPIENTS,
    BadCommandError,
    offers_login,
    read_recipient,
    refuse_without_login,
)
from relay.intake.connection_limits import refuse_ip
from relay.intake.content_limits import most_refused, refuse_header, refuse_octets
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.reply import Reply
from relay.model.route import Refusal
from relay.planning import MailPlan, plan_mail
from relay.rules.dot_stuffing import has_long_line, read_lines
from relay.rules.message_splitter import MessageSplitter
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


def ask(settings: Settings, request: Explain, ip: IPv4Address | IPv6Address, *, connects: bool) -> Answer:
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
