"""Answers requests: finds the function of each, and runs it, in a running service or in the command itself."""

import asyncio
import importlib
import pwd
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from relay import __version__
from relay.admin import requests
from relay.admin.requests import VERSION
from relay.admin.room import Room, Service
from relay.admin.wire import WireError, decode, encode
from relay.clock import wall_clock
from relay.control.client import Answer
from relay.control.server import BadRequestError, Caller
from relay.emitting import emit
from relay.escaping import printable
from relay.events.service import ActivityFailed
from relay.model.errors import RelayError
from relay.settings import Settings
from relay.storage.engine import open_engine

_THREADS: Final = 4
"""Requests that are worked on at a time; the others wait for their turn."""
_LONGEST_NAME: Final = 64

FUNCTIONS: Final[dict[type, str]] = {
    requests.ShowStatus: "relay.admin.status:status",
    requests.ListMails: "relay.admin.mails:list_",
    requests.ShowMails: "relay.admin.mails:show",
    requests.ChangeMails: "relay.admin.changes:change",
    requests.RunQueue: "relay.admin.changes:run",
    requests.ListAccounts: "relay.admin.accounts:list_",
    requests.PauseAccount: "relay.admin.accounts:pause",
    requests.TryAccount: "relay.admin.doctor:examine",
    requests.Explain: "relay.admin.explain:explain",
    requests.ExplainIncoming: "relay.admin.explain:explain_incoming",
    requests.TakeUpLogin: "relay.admin.service:take_up_login",
    requests.Reload: "relay.admin.service:reload",
    requests.Poll: "relay.admin.service:poll",
    requests.ListQuarantine: "relay.admin.quarantine:list_",
    requests.ShowQuarantined: "relay.admin.quarantine:show",
    requests.DeliverQuarantined: "relay.admin.quarantine:deliver",
    requests.DeleteQuarantined: "relay.admin.quarantine:delete",
}
"""Where the function of each request is: imported when it is first used, or by `load_all`."""
_REQUESTS: Final = {kind.__name__: kind for kind in FUNCTIONS}


def answer(room: Room, request: object) -> Generator[Answer, Answer | None]:
    """Answer a request: yields each answer as JSON, with its name, and takes what is said to a question."""
    said = _find(type(request))(room, request)
    reply: bool | None = None
    while True:
        try:
            one = said.send(reply)
        except StopIteration:
            return
        told = yield {"is": type(one).__name__, "value": encode(one)}
        reply = None if told is None else bool(told.get("yes"))


def load_all() -> None:
    """Import all functions: of a running service the files may change, and root's may be out of its owner's reach."""
    for kind in FUNCTIONS:
        _find(kind)


def _find(kind: type) -> Callable[[Room, object], Generator[object, bool | None]]:
    module, _, name = FUNCTIONS[kind].partition(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def read_request(told: Answer) -> object:
    """Read a request from the control socket. Raises BadRequestError, with plain words where the releases differ."""
    if told.get("version") != VERSION:
        raise BadRequestError(
            f"this command is of the release {printable(str(told.get('program'))[:_LONGEST_NAME])}, the running service"
            f" of {__version__}: restart the service (`systemctl restart relay`), then try again"
        )
    try:
        return decode(_REQUESTS[str(told.get("name"))], told.get("value"))
    except (KeyError, WireError) as error:
        raise BadRequestError(f"bad request: {error}") from None


def name_user(uid: int, sudo_user: str = "") -> str:
    """Name a user for the records. Root may call himself what he likes; nobody else's word is taken."""
    name = sudo_user if uid == 0 else ""
    if not name:
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = f"uid {uid}"
    return printable(name)[:_LONGEST_NAME]


def _log_fault(loading: Future[None]) -> None:
    if (error := loading.exception()) is not None:
        emit(ActivityFailed(activity="functions of the admin room", error=repr(error), exception=error))


class Desk:
    """Answers the requests of the control socket in threads and on database connections beside the service's own."""

    def __init__(self, settings: Callable[[], Settings], service: Service) -> None:
        self._settings = settings
        self._service = service
        at_start = settings()
        prepared = at_start.prepared_statements
        self._database = open_engine(at_start.database, create=False, prepared_statements=prepared)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="admin")
        # Who waits for a provider must not keep the others from their answer.
        self._polls = ThreadPoolExecutor(_THREADS, thread_name_prefix="admin poll")

    def load(self) -> None:
        """Begin to import all functions, in a thread: the service listens before it has them."""
        self._threads.submit(load_all).add_done_callback(_log_fault)

    async def serve(self, told: Answer, caller: Caller) -> AsyncGenerator[Answer]:
        """Answer one request: first that it was taken, then what the function yields."""
        request = read_request(told)
        room = Room(
            settings=self._settings(),
            open_database=lambda: self._database,
            service=self._service,
            by=name_user(caller.uid, str(told.get("by", ""))),
            now=wall_clock(),
        )
        yield {"is": "", "zone": str(room.zone)}
        said = answer(room, request)
        reply: Answer | None = None
        threads = self._polls if isinstance(request, requests.Poll | requests.TryAccount) else self._threads
        try:
            while (one := await self._take(threads, said, reply)) is not None:
                yield one
                reply = None
                if one["is"] == "Question":
                    try:
                        reply = await caller.reply()
                    except (OSError, ValueError):  # whoever was asked has gone, or thinks for too long
                        return
        finally:
            said.close()

    async def _take(
        self, threads: ThreadPoolExecutor, said: Generator[Answer, Answer | None], reply: Answer | None
    ) -> Answer | None:
        """Take the next answer in a thread; None at the end. A step that has begun is waited for, whatever happens."""

        def step() -> Answer | None:
            try:
                return said.send(reply)
            except StopIteration:
                return None

        try:
            future = asyncio.get_running_loop().run_in_executor(threads, step)
        except RuntimeError:
            raise RelayError("the service is stopping") from None
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait({future})
            raise

    async def close(self) -> None:
        """Take no more requests, and wait for the steps that are under way."""
        for threads in (self._threads, self._polls):
            await asyncio.to_thread(threads.shutdown)
        self._database.dispose()
