"""`relay poll`: mailboxes collected now, with what came of it."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from relay.admin.answers import PollNews
from relay.admin.asking import Said
from relay.admin.requests import Poll
from relay.admin.wire import encode
from relay.cli.asking import ask
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, json_option, plain_faults
from relay.cli.output import clean, print_json, say
from relay.model.errors import RelayError

_MOST_IDS = 3
"""Mails of each mailbox whose ids are shown."""
_MOST_KEPT = 1 << 22
"""Characters of news that are kept until the end, of all mailboxes together."""


@click.command("poll")
@config_option
@json_option
@click.argument("account", required=False, type=Text())
@plain_faults
def command(config: str | None, *, as_json: bool, account: str | None) -> None:
    """Collect mail from an account's mailbox now, or from all of them, at any hour.

    A running service does it and tells of its progress; without one, this command is the service for that moment.
    """
    results = _show_progress(ask(config, Poll(account=account or ""), serves=True), quiet=as_json)
    if as_json:
        print_json({name: encode(one.result) if one.result else {"error": one.error} for name, one in results.items()})
    else:
        for one in results.values():
            for line in _tell(one):
                say(line)
    if any(one.error for one in results.values()):
        sys.exit(1)


def _show_progress(said: Iterator[Said], *, quiet: bool) -> dict[str, PollNews]:
    """Follow the news with a bar for each mailbox on a terminal; returns the results."""
    results: dict[str, PollNews] = {}
    progress: Any = None
    context: AbstractContextManager[Any] = nullcontext()
    if not quiet and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        context = progress = Progress(console=Console(stderr=True), transient=True)
    from rich.markup import escape

    bars: dict[str, Any] = {}
    kept = 0
    with context:
        for one in said:
            news = one.read(PollNews)
            if news.result is not None or news.error or news.account not in bars:
                kept += len(str(one.json))
                if kept > _MOST_KEPT:
                    raise RelayError("the service tells of more mailboxes than there can be")
            if news.result is not None or news.error:
                results[news.account] = news
                continue
            if news.account not in bars:
                label = escape(clean(news.account))
                bars[news.account] = None if progress is None else progress.add_task(label, total=news.total)
            if progress is not None:
                progress.update(bars[news.account], completed=news.fetched, total=news.total)
    return results


def _tell(news: PollNews) -> list[str]:
    """Say what came of a poll, and what became of the mail."""
    name, result = news.account, news.result
    if result is None:
        return [f"{name}: failed: {clean(news.error)}"]
    parts = [f"{result.fetched:d} fetched"]
    parts += [f"{result.quarantined:d} of them put into the quarantine"] if result.quarantined else []
    parts += [f"{result.failed:d} not received (the service's log says why)"] if result.failed else []
    parts += [f"{result.left:d} left on the server"] if result.left else []
    parts += [f"{result.deleted:d} deleted on the server"] if result.deleted else []
    lines = [f"{name}: {', '.join(parts)}, in {result.seconds:.1f} s"]
    lines += [
        f"  The inbox of {user} can't be used: {reason.removeprefix('inbox ')}"
        for user, reason in result.reasons.items()
    ]
    lines += ["  `relay quarantine list` shows what is there, and what mends it"] if result.quarantined else []
    if ids := result.ids:
        more = result.fetched - len(ids[:_MOST_IDS])
        lines.append(f"  `relay trace ID` tells more: {', '.join(ids[:_MOST_IDS])}{f' and {more} more' * (more > 0)}")
    return lines
