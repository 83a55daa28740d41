"""Plays the scenes of the demonstration and tells in plain words what became of each mail."""

import asyncio
import contextlib
import email
import email.policy
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import aiosmtplib

from relay import logs
from relay.auth import hash_password
from relay.demo.provider import PASSWORD, Mailbox, Provider, Received
from relay.demo.scenes import ANSWER, ARCHIVE, CONFIGURATION, CUSTOMER, SCENES, TIFF, Scene, compose
from relay.escaping import printable
from relay.settings import load_settings
from relay.storage.admin import show_message
from relay.storage.engine import open_engine
from relay.supervisor import Service

_PATIENCE = 10.0
_PREFIX = "relay-demo-"

Say = Callable[[str], None]


async def play(*, once: bool, say: Say, keep: bool = False) -> bool:
    """Run the demonstration; true if everything went as it must. Without `once` it goes on until Ctrl-C.

    `keep`: its folder stays; else it goes at the end, and is named only to who can still look into it.
    """
    kept = contextlib.nullcontext(tempfile.mkdtemp(prefix=_PREFIX)) if keep else None
    with kept or tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        folder, provider, mailbox = Path(name), Provider(), Mailbox()
        await provider.start()
        await mailbox.start()
        file = folder / "relay.toml"
        file.write_text(_configuration(folder, provider.port, mailbox.port), encoding="utf-8")
        settings = load_settings(file)
        sink = logs.configure(file=settings.log.file)
        service = Service(settings, sink=sink)
        await service.start()
        running = asyncio.create_task(service.run())
        port = service.ports[0]
        say(f"The relay listens on 127.0.0.1:{port}; a stand-in provider on 127.0.0.1:{provider.port},")
        say(f"its mailbox on port {mailbox.port}.")
        if keep:
            say(f"Everything is in {folder}, and stays there: relay.toml, relay.db, relay.log, inboxes.")
        elif not once:
            say(f"Until Ctrl-C everything is in {folder}: relay.toml, relay.db, relay.log, inboxes (--keep leaves it).")
        say("")
        try:
            good = True
            for number, scene in enumerate(SCENES, 1):
                say(f"{number}. {scene.title}")
                good = await _show(scene, port, provider, settings.database, say) and good
                say("")
            good = await _show_mailbox(len(SCENES) + 1, service, mailbox, settings.inboxes, say) and good
            say("Everything went as it must." if good else "NOT everything went as it must.")
            if not once:
                await _wait(port, provider, say)
        finally:
            service.end("the demonstration is over")
            await running
            await provider.close()
            await mailbox.close()
        return good


def _configuration(folder: Path, smtp_port: int, pop3_port: int) -> str:
    server = 'host = "127.0.0.1"\nport = {}\nsecurity = "none"\npassword = "' + PASSWORD + '"'
    return CONFIGURATION.format(
        folder=folder,
        password_hash=hash_password(PASSWORD),
        smtp=server.format(smtp_port),
        pop3=server.format(pop3_port),
        archive=ARCHIVE,
    )


async def _show_mailbox(number: int, service: Service, mailbox: Mailbox, inboxes: Path, say: Say) -> bool:
    """Let an answer arrive at the provider, poll it, and look into the user's inbox."""
    say(f"{number}. The other way: an answer waits in the provider's mailbox of sales@example.com")
    mailbox.mails.append(ANSWER)
    for _ in range(2):  # the first may be the one that was under way before the answer came
        accounts = [account for account in service.settings.directory.accounts if account.name == "sales"]
        result = (await service.poller.poll_now(accounts, lambda _: lambda _done, _total: None))["sales"]
        fetched = 0 if isinstance(result, str) else result.fetched
        if fetched:
            break
    say(f"   polled      {fetched} fetched, {len(mailbox.mails)} left at the provider")
    inbox = inboxes / "anna" / "new"
    files = await asyncio.to_thread(lambda: [(path, path.read_bytes()) for path in inbox.glob("*")])
    for path, content in files:
        parsed = email.message_from_bytes(content, policy=email.policy.default)
        say(f"   inbox       of anna, who owns the account: {path.relative_to(inboxes.parent)}")
        say(f"               From: {_clean(parsed['From'])}   Subject: {_clean(parsed['Subject'])}")
    say("")
    expected = b"Delivered-To: anna@example.com\n" + ANSWER.replace(b"\r\n", b"\n")
    return not mailbox.mails and [content for _, content in files] == [expected]


async def _show(scene: Scene, port: int, provider: Provider, database: str, say: Say) -> bool:
    """Submit one scene's mail, say what became of it; true if that is what must be."""
    before = len(provider.mails)
    code, reply = await _submit(scene, port)
    say(f"   submitted   From: {scene.headers.get('From', '(none)')}   To: {CUSTOMER}")
    say(f"   answer      {code} {_clean(reply)}")
    if scene.rule is None:
        return code == 550 and scene.account in reply
    if code != 250:
        return False
    detail = show_message(open_engine(database), reply.split()[-1])
    say(f"   rule        {detail.rule}")
    for step in detail.why.splitlines():
        say(f"               - {_clean(step)}")
    expected = 2 if scene.tiff is not None else 1
    if not await provider.wait_for(before + expected, _PATIENCE):
        say("   provider    did not get it in time")
        return False
    mails = provider.mails[before:]
    for mail in mails:
        _describe(mail, say)
    return detail.rule == scene.rule and detail.account == scene.account and _arrived(scene, mails)


async def _submit(scene: Scene, port: int) -> tuple[int, str]:
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1", port=port, source_address=(scene.source, 0), start_tls=False, timeout=_PATIENCE
    )
    async with client:
        if scene.login is not None:
            await client.login(scene.login, PASSWORD)
        await client.mail("somebody@office.example")
        await client.rcpt(CUSTOMER)
        try:
            return tuple(await client.data(compose(scene)))  # type: ignore[return-value]
        except aiosmtplib.SMTPDataError as refusal:
            return refusal.code, refusal.message


def _describe(mail: Received, say: Say) -> None:
    parsed = email.message_from_bytes(mail.content, policy=email.policy.default)
    blind = [address for address in mail.recipients if address == ARCHIVE]
    others = [address for address in mail.recipients if address != ARCHIVE]
    say(f"   sent        through the login {mail.login}, envelope sender {mail.sender}")
    say(f"               From: {_clean(parsed['From'])}")
    if others:
        say(f"               to {', '.join(others)}" + (f", blind copy to {blind[0]}" if blind else ""))
    else:
        say(f"               the archive's copy, to {blind[0]}")
    for part in parsed.walk():
        if part.get_filename() or part.get_content_type() == "image/tiff":
            content = part.get_payload(decode=True)
            size = len(content) if isinstance(content, bytes) else 0
            say(f"               attachment {_clean(part.get_filename())} ({part.get_content_type()}, {size} octets)")


def _arrived(scene: Scene, mails: list[Received]) -> bool:
    """Check the envelope, the sender, the blind copy and the TIFF."""
    everybody = sorted(address for mail in mails for address in mail.recipients)
    right = everybody == sorted([CUSTOMER, ARCHIVE])
    for mail in mails:
        parsed = email.message_from_bytes(mail.content, policy=email.policy.default)
        right = right and mail.sender == mail.login and mail.sender in scene.from_header
        right = right and str(parsed["From"]) == scene.from_header
        right = right and ARCHIVE.encode() not in mail.content.split(b"\r\n\r\n")[0]
        if scene.tiff is not None:
            tiffs = [p.get_payload(decode=True) for p in parsed.walk() if p.get_content_type() == "image/tiff"]
            right = right and tiffs == ([TIFF] if CUSTOMER in mail.recipients else [])
    return right


def _clean(text: object) -> str:
    return printable(str(text))


async def _wait(port: int, provider: Provider, say: Say) -> None:
    """Tell how to send a mail of one's own, and show what comes, until Ctrl-C."""
    say("\nSend a mail of your own, from another terminal:")
    say(
        "  printf 'From: sales@example.com\\nSubject: Hello\\n\\nHello!\\n' | "
        f"curl -sS smtp://127.0.0.1:{port} --mail-from me@example.com --mail-rcpt you@example.com -T -"
    )
    say(f"  swaks --server 127.0.0.1:{port} --from sales@example.com --to you@example.com")
    say("Ctrl-C ends the demonstration.\n")
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    seen = len(provider.mails)
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 0.3)
        for mail in provider.mails[seen:]:
            _describe(mail, say)
        seen = len(provider.mails)
