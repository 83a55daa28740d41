"""Connections to PostgreSQL that don't wait for ever: neither for a machine that is gone, nor for a silent one."""

from typing import TYPE_CHECKING, Any, Final

import psycopg
from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import URL, Engine

_MARGIN: Final = 5.0
"""Seconds by which the server gives a statement up before we give the server up."""
_GIVE_LOCKS_BACK: Final = "-c idle_in_transaction_session_timeout=10000"
"""A node that stands still in the middle of a transaction must not keep its locks: others want its mail."""
_BY_INDEX: Final = "-c enable_seqscan=off"
"""A prepared statement keeps its plan: one that was made while the tables were small would read them whole for ever."""
_BOUNDS_TRANSACTIONS: Final = 170_000
"""The version of PostgreSQL that knows transaction_timeout."""
_PARAMETERS: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "application_name": "relay",
    # A peer that is gone without a word: what was sent is not acknowledged, or nothing comes and nobody is there.
    "tcp_user_timeout": 15_000,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


class PatientConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives up where a statement has no answer in time, though its octets may be acknowledged."""

    patience: float | None = None
    """Seconds; None: as long as it takes."""

    def wait(
        self,
        gen: "Generator[Any, Any, Any]",
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the statement gives
        """Wait for the server. Raises OperationalError, the connection closed, where it says nothing in time."""
        if timeout is not None or self.patience is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - there is no public name for it
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer for {self.patience:g} seconds") from None


def connect_arguments(url: "URL", *, patience: float | None, prepared: bool) -> dict[str, Any]:
    """Return what psycopg is told beside the URL, which goes first.

    Without prepared statements none of it belongs to one server process: PgBouncer may give each transaction another.
    """
    chosen = dict(_PARAMETERS)
    if not prepared:
        chosen["prepare_threshold"] = None
    elif patience is not None:
        limit = round(1000 * (patience - _MARGIN if patience > 2 * _MARGIN else patience))
        chosen["options"] = f"-c statement_timeout={limit} {_GIVE_LOCKS_BACK} {_BY_INDEX}"
    else:
        chosen["options"] = _GIVE_LOCKS_BACK
    return {name: value for name, value in chosen.items() if name not in url.query}


def _bound_transactions(connection: PatientConnection) -> None:
    """Let the server (17 and newer) end a transaction whose client stands still among statements sent together."""
    if connection.info.server_version >= _BOUNDS_TRANSACTIONS:
        connection.execute("SET transaction_timeout = 10000")
        connection.commit()


def make_patient(engine: "Engine", patience: float | None) -> None:
    """Let the engine's connections be patient ones."""

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, arguments: Any, parameters: Any) -> PatientConnection:  # noqa: ANN401 - SQLAlchemy's
        connection = PatientConnection.connect(*arguments, **parameters)
        if patience is not None and connection.prepare_threshold is not None:
            _bound_transactions(connection)
        connection.patience = patience
        return connection
