"""What a service with these settings does, in a few lines, and whether one runs: the end of a good `relay check`."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from relay.cli.output import count

if TYPE_CHECKING:
    from relay.model.account import Account
    from relay.settings import Listener, Settings
    from relay.watching.asking import Service

_MOST = 10
"""Names of one line."""
_UNITS = ((86_400_000, "day"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


def describe_work(settings: "Settings") -> list[str]:
    """Tell who hands in mail where, which accounts send, and which are collected."""
    accounts = settings.directory.accounts
    lines = [_describe_listener(listener) for listener in settings.listeners]
    sending = [account.name for account in accounts if account.smtp is not None and not account.excluded]
    lines.append(f"Sends by: {_join(sending) or 'no account, so every mail is refused'}")
    collected = [_describe_collecting(account) for account in accounts if account.is_collected]
    lines.append(f"Collects: {_join(collected, '; ') or 'nothing'}")
    excluded = [account.name for account in accounts if account.excluded]
    if excluded:
        lines.append(f"Excluded, neither sent by nor collected: {_join(excluded)}")
    lines.append(f"Inboxes: {settings.inboxes}")
    return lines


def describe_service(settings: "Settings", service: "Service", digest: str) -> str:
    """Tell whether a service runs, and what makes it take over the file, whose hash on the disk is `digest`."""
    from relay.watching.asking import Running

    if service.running is Running.NO and not settings.directory.accounts:
        return f"The service is not running: it waits for its first [[account]] in {settings.path}"
    if service.running is Running.NO:
        command = f"relay serve -c {shlex.quote(str(settings.path))}"
        return f"The service is not running. Start it: systemctl start relay, or here: {command}"
    if service.running is Running.SILENT:
        return f"Whether the service runs can't be told: {service.silence}"
    if service.digest and service.digest == digest:
        return "The service is running with this configuration."
    return "The service is running. To take this configuration over: relay reload (or systemctl reload relay)"


def _describe_listener(listener: "Listener") -> str:
    how = {"none": "without TLS", "starttls": "with STARTTLS", "implicit": "with TLS"}[listener.tls]
    who = _join([str(network) for network in listener.networks])
    login = ", with a login" if listener.require_auth else ""
    return f"Takes mail at: {listener.host} port {listener.port}, {how}, from {who}{login}"


def _describe_collecting(account: "Account") -> str:
    assert account.mailbox is not None
    leave = account.mailbox.leave_on_server
    if leave is True:
        fate = "stays at the provider"
    else:
        fate = "then deleted at the provider" if leave is False else f"deleted there after {_span(leave)}"
    return f"{account.name} every {_span(account.mailbox.interval)}, {fate}"


def _span(milliseconds: int) -> str:
    """Write a duration as the configuration has it."""
    size, unit = next((size, unit) for size, unit in _UNITS if milliseconds % size == 0 or size == 1000)
    number = milliseconds // size
    return count(number, unit) if unit == "day" else f"{number} {unit}"


def _join(names: Sequence[str], sign: str = ", ") -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return sign.join(names[:_MOST]) + more
