import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from relay.upstream.transaction import Timeouts

QUICK = Timeouts(connect=5, command=5, data=5, progress=5, final=5, quit=0.2)
IMPATIENT = Timeouts(connect=0.05, command=0.05, data=0.05, progress=0.05, final=0.05, quit=0.05)


@dataclass(frozen=True)
class Authority:
    """Certificates, and the file with what is to be trusted."""

    ca_file: Path
    server: Callable[..., ssl.SSLContext]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Make certificates: `server("name")` is a server's context for that name."""
    made = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    made.cert_pem.write_to_path(path)

    def server(name: str = "127.0.0.1", **how: object) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.issue_cert(name, **how).configure_cert(context)  # type: ignore[arg-type]
        return context

    return Authority(path, server)
