"""Asks strangers, bounded: the DNS for mail exchangers and addresses, and a web server for one small file.

Guarantee: a web server is reached only at a public address that was looked at before, over TLS with a good certificate;
no redirect is followed, nothing about the person but the domain is sent, and an answer has 64 KiB and ten seconds.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final, Protocol, TypeAlias

from relay.presets.autoconfig import LARGEST
from relay.presets.preset import WordedError, Words
from relay.presets.public import IpAddress, is_public_address, is_public_name
from relay.web import Fault, Question, WebError, exchange

SECONDS: Final = 5.0
"""For each question to the DNS, and for each file."""
_MOST: Final = 16
"""Records of one answer that are looked at."""
_HTTPS: Final = 443
NO_SUCH_HOST: Final = Words("there is no such host", "diesen Server gibt es nicht")
NOT_PUBLIC: Final = Words("its address is not one of the internet", "seine Adresse ist keine des Internets")

Connector: TypeAlias = Callable[[str, int, str], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Connects to an IP address and a port by TLS, and checks that the certificate is for a host. Raises OSError."""


class AskingError(WordedError):
    """There is no usable answer."""


class Resolver(Protocol):
    """Who answers questions about names. Both raise AskingError where no answer comes."""

    async def exchangers(self, domain: str) -> tuple[str, ...]:
        """Return the mail exchangers of the best preference, as A-labels in lower case; none: no mail is taken."""

    async def addresses(self, host: str) -> tuple[IpAddress, ...]:
        """Return the addresses of a host; none: there is no such host."""


class Dns:
    """The DNS, by the servers that the system names, or by others."""

    def __init__(self, servers: tuple[str, ...] = (), port: int = 53) -> None:
        self._servers = servers
        self._port = port

    async def exchangers(self, domain: str) -> tuple[str, ...]:
        """See `Resolver`; RFC 7505's null MX is none."""
        found: list[tuple[int, str]] = []
        for record in await self._ask(domain, "MX"):
            preference, _, host = record.partition(" ")
            found.append((int(preference), host.lower().removesuffix(".")))
        best = min((preference for preference, _ in found), default=0)
        return tuple(sorted(host for preference, host in found if preference == best and is_public_name(host)))

    async def addresses(self, host: str) -> tuple[IpAddress, ...]:
        """See `Resolver`. IPv4 first: an office has it for certain."""
        found = [record for kind in ("A", "AAAA") for record in await self._ask(host, kind)]
        return tuple(ip_address(record) for record in found)

    async def _ask(self, name: str, kind: str) -> list[str]:
        """Return the records of a name, as text."""
        import dns.asyncresolver  # noqa: PLC0415 - only who looks for a provider needs it
        import dns.exception  # noqa: PLC0415 - see above
        import dns.resolver  # noqa: PLC0415 - see above

        try:
            resolver = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                resolver.nameservers, resolver.port = list(self._servers), self._port
            answer = await resolver.resolve(f"{name}.", kind, search=False, lifetime=SECONDS)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, ValueError):
            raise AskingError("the DNS gave no answer", "das DNS hat nicht geantwortet") from None
        return [record.to_text() for record, _ in zip(answer, range(_MOST), strict=False)]


async def connect_tls(address: str, port: int, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect by TLS, with the system's authorities; see `Connector`."""
    context = await asyncio.to_thread(ssl.create_default_context)
    return await asyncio.open_connection(address, port, ssl=context, server_hostname=host)


async def fetch(host: str, target: str, *, resolver: Resolver, connect: Connector) -> bytes:
    """Return a file of a web server. Raises AskingError."""
    try:
        async with asyncio.timeout(2 * SECONDS):
            addresses = await resolver.addresses(host)
            if not addresses:
                raise AskingError(*NO_SUCH_HOST)
            if not all(map(is_public_address, addresses)):
                raise AskingError(*NOT_PUBLIC)
            reader, writer = await connect(str(addresses[0]), _HTTPS, host)
            try:
                return await _get(host, target, reader, writer)
            finally:
                writer.transport.abort()  # an orderly end of TLS waits for a server that may have none
    except ssl.SSLError:
        raise AskingError(
            "its certificate is not good, or TLS failed", "sein Zertifikat ist nicht gültig, oder TLS ging nicht"
        ) from None
    except TimeoutError:
        raise AskingError("it did not answer in time", "er hat nicht rechtzeitig geantwortet") from None
    except OSError:
        raise AskingError("it can't be reached", "er ist nicht zu erreichen") from None


async def _get(host: str, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    headers = [("Host", host), ("Accept", "text/xml, application/xml")]
    question = Question(method="GET", target=target, headers=headers, wanted=200)
    try:
        answer = await exchange(reader, writer, question, largest=LARGEST)
    except WebError as error:
        raise AskingError(*_FAULTS[error.fault]) from None
    if 300 <= answer.status < 400:
        raise AskingError(
            "it sends elsewhere, which is not followed", "er verweist woandershin; dem wird nicht gefolgt"
        )
    if answer.status != 200:
        raise AskingError("it has no such file", "er hat keine solche Datei")
    return answer.body


_FAULTS: Final = {
    Fault.CLOSED: Words("it ended before its answer was whole", "er brach mitten in der Antwort ab"),
    Fault.TOO_LARGE: Words("its answer is larger than 64 KiB", "seine Antwort ist größer als 64 KiB"),
    Fault.NO_HTTP: Words("its answer is no HTTP", "seine Antwort ist kein HTTP"),
}
