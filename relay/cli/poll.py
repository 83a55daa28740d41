"""`relay poll`: mailboxes collected now, with what came of it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from relay.admin.words import unknown
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, enter, fail, json_option, load, plain_faults
from relay.cli.output import clean, print_json, say
from relay.settings import Settings

Answer = dict[str, Any]
_MOST_IDS = 3
"""Mails of each mailbox whose ids are shown."""


@click.command("poll")
@config_option
@json_option
@click.argument("account", required=False, type=Text())
@plain_faults
def command(config: str | None, *, as_json: bool, account: str | None) -> None:
    """Collect mail from an account's mailbox now, or from all of them, at any hour.

    A running service does it and tells of its progress; without one, this command is the service for that moment.
    """
    settings = load(config, secrets=True)
    names = _choose(settings, account)
    enter(settings, serves=True)
    results = _show_progress(_poll(settings, names), quiet=as_json)
    if as_json:
        print_json(results)
    else:
        for name in names:
            for line in _tell(name, results.get(name, {"error": "the service gave no answer"})):
                say(line)
    if any("error" in results.get(name, {"error": ""}) for name in names):
        sys.exit(1)


def _choose(settings: Settings, account: str | None) -> list[str]:
    collected = [one.name for one in settings.directory.accounts if one.is_collected]
    if account is None:
        return collected or fail(
            f"no account has a mailbox that is collected: add [account.pop3] below an [[account]] of {settings.path}"
        )
    found = settings.directory.account(account)
    if found is None:
        fail(unknown("account that is collected and called", account, collected))
    if not found.is_collected:
        if found.pop3 is None:
            fail(
                f"for {account} no mailbox is set up, so nothing is collected. If it should be, add [account.pop3]"
                f" below that account in {settings.path}"
            )
        why = "is excluded" if found.excluded else "has receive = false"
        fail(f"{account} {why} in {settings.path}, so nothing is collected")
    return [account]


def _poll(settings: Settings, names: list[str]) -> Iterator[Answer]:
    """Give the news of the polls, from the running service or from one for this moment."""
    from relay.control.client import ask, follow

    if ask(settings.folder, "status") is not None:
        yield from follow(settings.folder, "poll", accounts=names)
        return
    yield from _poll_alone(settings, names)


def _poll_alone(settings: Settings, names: list[str]) -> Iterator[Answer]:
    """Be the service for this moment; its news come as they happen."""
    from relay import logs
    from relay.supervisor import Service

    logs.configure(form="console", level="critical", file=settings.log.file, descriptor=logs.STDERR)
    with asyncio.Runner() as runner:
        service = Service(settings)
        runner.run(service.start(listen=False))
        try:
            news = service.poll(names)
            while (answer := runner.run(_next(news))) is not None:
                yield answer
        finally:
            runner.run(service.stop())


async def _next(news: AsyncIterator[Answer]) -> Answer | None:
    return await anext(news, None)


def _show_progress(news: Iterator[Answer], *, quiet: bool) -> dict[str, Answer]:
    """Follow the news with a bar for each mailbox on a terminal; gives the results."""
    results: dict[str, Answer] = {}
    progress: Any = None
    context: AbstractContextManager[Any] = nullcontext()
    if not quiet and sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        context = progress = Progress(console=Console(stderr=True), transient=True)
    from rich.markup import escape

    bars: dict[str, Any] = {}
    with context:
        for answer in news:
            name = str(answer.get("account", ""))
            fetched, total, result = answer.get("fetched"), answer.get("total"), answer.get("result")
            if isinstance(fetched, int) and isinstance(total, int):
                if progress is not None:
                    if name not in bars:
                        bars[name] = progress.add_task(escape(clean(name)), total=total)
                    progress.update(bars[name], completed=fetched, total=total)
            elif isinstance(result, dict):
                results[name] = result
            elif "error" in answer:
                results[name] = {"error": answer["error"]}
    return results


def _tell(name: str, result: Answer) -> list[str]:
    """Say what came of a poll, and what became of the mail."""
    if "error" in result:
        return [f"{name}: failed: {clean(result['error'])}"]
    try:
        quarantined = result.get("quarantined", 0)
        parts = [f"{result['fetched']:d} fetched"]
        parts += [f"{quarantined:d} of them put into the quarantine"] if quarantined else []
        parts += [f"{result['failed']:d} not received (the service's log says why)"] if result["failed"] else []
        parts += [f"{result['left']:d} left on the server"] if result["left"] else []
        parts += [f"{result['deleted']:d} deleted on the server"] if result["deleted"] else []
        lines = [f"{name}: {', '.join(parts)}, in {result['seconds']:.1f} s"]
        lines += [
            f"  The inbox of {user} can't be used: {str(reason).removeprefix('inbox ')}"
            for user, reason in dict(result.get("reasons", {})).items()
        ]
        lines += ["  `relay quarantine list` shows what is there, and what mends it"] if quarantined else []
        if ids := [str(one) for one in result.get("ids", ())]:
            more = result["fetched"] - len(ids[:_MOST_IDS])
            lines.append(
                f"  `relay trace ID` tells more: {', '.join(ids[:_MOST_IDS])}{f' and {more} more' * (more > 0)}"
            )
    except (KeyError, ValueError, TypeError):  # a service of another release
        return [f"{name}: the service gave an answer that can't be read"]
    return lines
