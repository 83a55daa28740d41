"""The account doctor, `relay account test`: each step of a login is told as it ends, with what is wrong and what helps.

Guarantee: one login for each protocol. One that was refused is not tried again at the same provider, since some lock a
mailbox after a few; of all accounts, nothing more is tried at a provider that has refused one.
"""

import asyncio
import secrets
import shlex
from collections.abc import Callable, Coroutine, Iterable, Iterator
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

from relay.accounts.examining import ASKING, examine_login
from relay.admin.authorizing import keep_credentials, keep_tokens
from relay.admin.refusals import Refusals
from relay.admin.requests import MisuseError, Note, Told, TryAccount
from relay.admin.room import Room
from relay.admin.words import count, fold, unknown
from relay.clock import wall_clock
from relay.model.account import Account, Pop3Server, Server, SmtpServer
from relay.model.credential import Credential
from relay.model.errors import NotFoundError, StateConflictError
from relay.model.oauth import OAuth
from relay.presets.preset import preset_of
from relay.upstream.course import READING, Step, Tell
from relay.upstream.probe import probe_pop3, probe_smtp
from relay.upstream.round_trip import Way, go_round
from relay.watching.snapshot import look_at_files, proofs_end

_WIDE: Final = 71
"""Characters of a line of advice."""
_SECOND_LEVEL: Final = frozenset({"ac", "co", "com", "edu", "gov", "ne", "net", "or", "org"})
"""Names below a country's that are no provider's, as in co.uk."""
_WHAT: Final = {"smtp": "Sending", "pop3": "Collecting"}

Probe: TypeAlias = Callable[[Tell], Coroutine[Any, Any, list[Step]]]


def examine(room: Room, request: TryAccount) -> Iterator[Note | Told]:
    """Log in to an account's servers, or to those of all accounts, and tell each step. Raises RelayError."""
    chosen = _choose(room, request)
    refusals = Refusals(whole_provider=request.everything)
    faulty = []
    for account in chosen:
        if request.everything:
            yield Note(text=f"{account.name} ({account.address})")
        good = True
        for one in _steps(room, account, refusals, round_trip=request.round_trip):
            if isinstance(one, Note | Told):
                yield one
                continue
            kind, step = one
            good = good and step.good
            yield _tell(account, kind, step)
        faulty += [] if good else [account.name]
        if good:
            yield Note(
                text=f"{account.name} works{', but is excluded: nothing is sent or collected' * account.excluded}"
            )
        else:
            path = room.settings.path
            text = f"{account.name} does not work yet: mend what FAILED, in {path}, and test it again"
            yield Note(text=text, is_fault=True)
    if request.everything:
        works = count(len(chosen) - len(faulty), "account works", "accounts work")
        fails = f"; not {', '.join(faulty)}" if faulty else ""
        yield Note(text=f"{works}{fails}", is_fault=bool(faulty))
    if faulty:
        yield Told(exit_status=1)


def _steps(
    room: Room, account: Account, refusals: Refusals, *, round_trip: bool
) -> Iterator[Note | Told | tuple[str, Step]]:
    """Yield what is tried of one account, and each step: the sign-in, its servers, and where all is good the trip."""
    good, name = True, account.name
    if (oauth := account.oauth) is not None:
        yield Note(text=f'Signing in: {oauth.provider}, flow = "{oauth.flow}", account[{name}].oauth')
        for step in _examine_sign_in(room, account, oauth, refusals):
            good = good and step.good
            yield "oauth", step
            if step.login_refused:  # without a token there is no login
                return
    if means := _tell_password(account):
        told = _tell(account, "", Step(name="which password", good=True, text=means))
        yield Told(json=told.json, lines=(f"Password: {means}",))
    for kind, server in _servers(account):
        place = f'{server.host} port {server.port}, security = "{server.security}"'
        yield Note(text=f"{_WHAT[kind]}: {place}, account[{name}].{kind}")
        for step in _examine(room, account, server, refusals):
            good = good and step.good
            yield kind, step
    if good and round_trip:
        yield Note(text=f"Round trip: a mail to {account.address}, sent and fetched back, account[{name}]")
        for step in _follow(_trip(room, account)):
            yield "round trip", step


def _tell_password(account: Account) -> str:
    """Say which password is meant, where its provider is known; empty where it is not, or none is needed."""
    for _, server in _servers(account):
        if server.oauth is None and server.username is not None and (preset := preset_of(account, server)) is not None:
            return f"{preset.title} means {preset.password.en.rstrip('.')}"
    return ""


def _choose(room: Room, request: TryAccount) -> list[Account]:
    directory, name = room.settings.directory, request.account
    if request.everything and request.round_trip:
        raise MisuseError("--round-trip is for one ACCOUNT")
    if request.everything:
        there = [one for one in directory.accounts if _servers(one) and not one.excluded]
        if not there:
            raise StateConflictError(f"there is no account to test in {room.settings.path}")
        return _by_provider(there)
    account = directory.account(name)
    if account is None:
        raise NotFoundError(unknown("account", name, (one.name for one in directory.accounts)))
    if not _servers(account):
        text = f"account[{name}] has neither [account.smtp] nor [account.pop3]: there is nothing to test"
        raise StateConflictError(text)
    if request.round_trip and (account.smtp is None or account.pop3 is None):
        missing = "[account.smtp]" if account.smtp is None else "[account.pop3]"
        raise StateConflictError(f"account[{name}] has no {missing}: no mail can go round")
    return [account]


def _by_provider(accounts: Iterable[Account]) -> list[Account]:
    """Put those of one provider one behind the other, else in their order."""
    groups: dict[str, list[Account]] = {}
    for one in accounts:
        groups.setdefault(provider_of(one, _servers(one)[0][1]), []).append(one)
    return [one for group in groups.values() for one in group]


def _servers(account: Account) -> list[tuple[str, Server]]:
    pairs: tuple[tuple[str, Server | None], ...] = (("smtp", account.smtp), ("pop3", account.pop3))
    return [(kind, server) for kind, server in pairs if server is not None]


def provider_of(account: Account, server: Server) -> str:
    """Name the provider of an account's server: its preset, else the domain that its servers share, as far as known."""
    if (preset := preset_of(account, server)) is not None:
        return preset.name
    host = server.host
    try:
        return str(ip_address(host))
    except ValueError:
        labels = host.lower().rstrip(".").split(".")
        deep = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
        return ".".join(labels[-3 if deep else -2 :])


def _examine(room: Room, account: Account, server: Server, refusals: Refusals) -> Iterator[Step]:
    credential = keep_credentials(room, account).of(server)
    provider = provider_of(account, server)
    if refusals.is_unread(account, server):
        yield Step(name=READING, good=False, text="not tried: the same password can't be read (see above)")
        return
    if credential is not None and (other := refusals.before(credential, provider)) is not None:
        yield _skip(account, other)
        return
    for step in _follow(_probe(room, account, server, credential)):
        if step.name == READING:
            refusals.note_unread(account, server)
        elif step.login_refused and credential is not None:
            refusals.note(credential, provider, account.name)
        yield step


def _examine_sign_in(room: Room, account: Account, oauth: OAuth, refusals: Refusals) -> Iterator[Step]:
    credentials = keep_credentials(room, account)
    logins = [
        (credential, provider_of(account, server))
        for _, server in _servers(account)
        if server.oauth is not None and (credential := credentials.of(server)) is not None
    ]
    if (other := next(filter(None, (refusals.before(*one) for one in logins)), None)) is not None:
        yield _skip(account, other, step=ASKING)
        return
    for step in _follow(_sign_in(room, account, oauth)):
        # That somebody must sign in is about this person alone; a refused app is that of others as well.
        if step.login_refused and step.name == ASKING:
            for one in logins:
                refusals.note(*one, account.name)
        yield step


def _skip(account: Account, other: str, step: str = "log in") -> Step:
    if other == account.name:
        text = "not tried: this provider has just refused the same login"
        advice = "Mend it first: some providers lock a mailbox after a few refused logins."
    else:
        text = f"not tried: this provider has refused the login of {other}"
        again = f"relay account test {shlex.quote(account.name)}"
        advice = f"Mend {other} first, since a provider may lock out who tries on. Then: {again}"
    return Step(name=step, good=False, text=text, advice=advice, login_refused=True)


def _probe(room: Room, account: Account, server: Server, credential: Credential | None) -> Probe:
    async def run(tell: Tell) -> list[Step]:
        if isinstance(server, SmtpServer):
            largest = max((one.max_message_size for one in room.settings.listeners), default=0)
            hostname = room.settings.hostname
            return await probe_smtp(account, server, credential, hostname=hostname, largest=largest, tell=tell)
        assert isinstance(server, Pop3Server)
        assert credential is not None
        return await probe_pop3(account, server, credential, tell=tell)

    return run


def _sign_in(room: Room, account: Account, oauth: OAuth) -> Probe:
    ends = proofs_end(account, look_at_files(room.settings))

    async def run(tell: Tell) -> list[Step]:
        return await examine_login(oauth, keep_tokens(room), proofs_end=ends, now=wall_clock, tell=tell)

    return run


def _trip(room: Room, account: Account) -> Probe:
    smtp, pop3 = account.smtp, account.pop3
    assert smtp is not None
    assert pop3 is not None
    credentials = keep_credentials(room, account)
    way = Way(
        account=account,
        smtp=smtp,
        sends=credentials.of(smtp),
        pop3=pop3,
        collects=credentials.of(pop3),
        hostname=room.settings.hostname,
    )

    async def run(tell: Tell) -> list[Step]:
        return await go_round(way, f"relay-test-{secrets.token_hex(8)}", tell=tell)

    return run


def _follow(probe: Probe) -> Iterator[Step]:
    """Run a test, and yield each step as soon as it has ended; what is left of it ends with the iterator."""
    news: asyncio.Queue[Step | None] = asyncio.Queue()

    async def begin() -> asyncio.Task[list[Step]]:
        task = asyncio.create_task(probe(news.put_nowait))
        task.add_done_callback(lambda _: news.put_nowait(None))
        return task

    with asyncio.Runner() as runner:
        task = runner.run(begin())
        while (step := runner.run(news.get())) is not None:
            yield step
        task.result()


def _tell(account: Account, kind: str, step: Step) -> Told:
    mark = "FAILED" if not step.good else "look" if step.warns else "ok"
    said = f": {step.text}" if step.text else ""
    advice = fold(step.advice, _WIDE)
    return Told(
        json=(
            {
                "account": account.name,
                "server": kind,
                "step": step.name,
                "good": step.good,
                "warns": step.warns,
                "text": step.text,
                "advice": step.advice,
                "seconds": round(step.seconds, 3),
            },
        ),
        lines=(f"  {mark:6} {step.name}{said} ({step.seconds:.2f} s)", *(f"{'':9}{line}" for line in advice)),
    )
