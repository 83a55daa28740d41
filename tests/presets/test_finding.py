"""How a provider is found: with a real DNS server and a real HTTPS server on loopback, whose names look public."""

import asyncio
import contextlib
import getpass
import http.server
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import trustme

from relay.model.account import Security
from relay.model.address import Address
from relay.presets.asking import Connector, Dns, connect_tls
from relay.presets.finding import Found, Origin, find_provider
from tests.peers.machine import free_port, require_program, wait_until
from tests.presets.test_autoconfig import file, server

pytestmark = pytest.mark.peer

RECORDS = [
    "--mx-host=ours.example.net,mx00.kundenserver.de,10",
    "--mx-host=mixed.example.net,mx00.kundenserver.de,10",
    "--mx-host=mixed.example.net,mx.other.example.net,10",
    "--mx-host=backup.example.net,smtpin.rzone.de,5",
    "--mx-host=backup.example.net,mx.other.example.net,10",
    "--mx-host=tenant.example.net,tenant-example.mail.protection.outlook.com,10",
    "--mx-host=fake.example.net,google.com.evil.example.net,10",
    "--host-record=autoconfig.own.example.net,93.184.216.34",
    "--host-record=mail.example.com,93.184.216.34",
    "--host-record=mail.own.example.net,93.184.216.34",
    "--host-record=autoconfig.inside.example.net,192.168.1.10",
    "--host-record=live.thunderbird.net,93.184.216.34",
    "--host-record=nas.own.example.net,10.0.0.1",
    "--host-record=pop.gmx.net,93.184.216.34",
]


@pytest.fixture(scope="module")
def dns() -> Iterator[Dns]:
    port = free_port()
    command = [require_program("dnsmasq", package="dnsmasq-base"), "--keep-in-foreground", "--no-resolv", "--no-hosts"]
    command += ["--conf-file=/dev/null", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces", *RECORDS]
    command += ["--pid-file=", f"--user={getpass.getuser()}", "--local=/example/com/net/"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        resolver = Dns(("127.0.0.1",), port)

        def answers() -> bool:
            with contextlib.suppress(Exception):
                return bool(asyncio.run(resolver.exchangers("ours.example.net")))
            return False

        wait_until(answers, what="dnsmasq")
        yield resolver
    finally:
        process.terminate()
        process.wait(10)
        if process.stderr:
            process.stderr.close()


@dataclass
class Web:
    """A web server with a good certificate for some names."""

    connect: Connector
    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def web() -> Iterator[Web]:
    ca = trustme.CA()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("autoconfig.own.example.net", "live.thunderbird.net").configure_cert(served)
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)

    class Handler(http.server.BaseHTTPRequestHandler):
        page: ClassVar[Web]

        def do_GET(self) -> None:
            where = f"{self.headers['Host']}{self.path}"
            self.page.asked.append(where)
            status, content = self.page.files.get(where, (404, b""))
            self.send_response(status)
            self.send_header("Location", "https://evil.example.net/")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that hangs up is none
    listening.socket = served.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)

    async def connect(address: str, port: int, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert (address, port) == ("93.184.216.34", 443)
        return await asyncio.open_connection(
            "127.0.0.1", listening.server_address[1], ssl=trusting, server_hostname=host
        )

    Handler.page = page = Web(connect=connect)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    yield page
    listening.shutdown()
    thread.join()
    listening.server_close()


CONFIG = "autoconfig.own.example.net/mail/config-v1.1.xml"


async def find(domain: str, dns: Dns, web: Web, *, ask_database: bool = False) -> Found:
    address = Address(local="anna", domain=domain)
    return await find_provider(address, ask_database=ask_database, resolver=dns, connect=web.connect)


def name_of(found: Found) -> str | None:
    return None if found.preset is None else found.preset.name


async def test_a_providers_own_domain_asks_nobody(web: Web) -> None:
    found = await find("WEB.de", Dns(("127.0.0.1",), 1), web)
    assert (found.origin, name_of(found), found.confirm) == (Origin.DOMAIN, "web.de", ())
    assert {one.username for one in found.servers} == {"anna"}


@pytest.mark.parametrize(("domain", "name"), [("ours.example.net", "ionos"), ("backup.example.net", "strato")])
async def test_the_best_exchanger_tells_and_is_confirmed(domain: str, name: str, dns: Dns, web: Web) -> None:
    found = await find(domain, dns, web)
    assert (found.origin, name_of(found)) == (Origin.EXCHANGER, name)
    assert domain in found.confirm[0].en
    assert domain in found.confirm[0].de
    assert web.asked == []


@pytest.mark.parametrize(
    "domain", ["mixed.example.net", "fake.example.net", "nothing.example.net", "inside.example.net"]
)
async def test_nothing_is_found_and_what_was_asked_is_told(domain: str, dns: Dns, web: Web) -> None:
    found = await find(domain, dns, web)
    assert found.origin is None
    assert len(found.tried) == 3
    assert all(words.en and words.de and words.en != words.de for words in found.tried)
    assert web.asked == []


async def test_an_address_within_an_office_is_not_reached(dns: Dns, web: Web) -> None:
    found = await find("inside.example.net", dns, web)
    assert "its address is not one of the internet" in found.tried[1].en


async def test_own_hosts_are_found_and_foreign_ones_must_be_confirmed(dns: Dns, web: Web) -> None:
    servers = (server(hostname="mail.own.example.net"), server("pop3", port="995"))
    web.files[CONFIG] = (200, file(*servers, domain="own.example.net"))
    found = await find("own.example.net", dns, web)
    assert found.origin is Origin.AUTOCONFIG
    assert [(one.kind, one.host, one.port, one.security) for one in found.servers] == [
        ("smtp", "mail.own.example.net", 465, Security.TLS),
        ("pop3", "mail.example.com", 995, Security.TLS),
    ]
    (confirm,) = found.confirm
    assert confirm.en.startswith("mail.example.com ")
    assert web.asked == [CONFIG]  # the address is told to nobody


async def test_a_known_provider_is_recognised_by_its_hosts(dns: Dns, web: Web) -> None:
    web.files[CONFIG] = (200, file(server(hostname="mail.gmx.net"), domain="own.example.net"))
    assert name_of(await find("own.example.net", dns, web)) == "gmx"


async def test_servers_that_private_persons_share_are_an_offices_own_domain(dns: Dns, web: Web) -> None:
    hosts = (server(hostname="smtp.gmail.com"), server("pop3", hostname="pop.gmail.com", port="995"))
    web.files[CONFIG] = (200, file(*hosts, domain="own.example.net"))
    assert name_of(await find("own.example.net", dns, web)) == "google"


@pytest.mark.parametrize(
    ("status", "content", "reason"),
    [
        (302, b"", "it sends elsewhere"),
        (404, b"", "no such file"),
        (200, b"x" * 70_000, "larger than 64 KiB"),
        (200, b"<html>", "no autoconfig"),
        (200, file(server(hostname="nas.own.example.net"), domain="own.example.net"), "not one of the internet"),
        (200, file(server(hostname="gone.own.example.net"), domain="own.example.net"), "no such host"),
    ],
)
async def test_what_a_web_server_may_not_do(status: int, content: bytes, reason: str, dns: Dns, web: Web) -> None:
    web.files[CONFIG] = (status, content)
    found = await find("own.example.net", dns, web)
    assert found.origin is None
    assert any(reason in words.en for words in found.tried), found.tried


async def test_the_database_is_asked_only_where_the_person_agrees(dns: Dns, web: Web) -> None:
    where = "live.thunderbird.net/autoconfig/v1.1/nothing.example.net"
    web.files[where] = (200, file(server(), domain="nothing.example.net"))
    assert (await find("nothing.example.net", dns, web)).origin is None
    assert web.asked == []
    found = await find("nothing.example.net", dns, web, ask_database=True)
    assert found.origin is Origin.DATABASE
    assert web.asked == [where]


async def test_a_wrong_certificate_is_no_answer(dns: Dns, web: Web) -> None:
    async def wrong(address: str, port: int, _: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await web.connect(address, port, "other.example.net")

    found = await find_provider(Address(local="anna", domain="own.example.net"), resolver=dns, connect=wrong)
    assert any("certificate" in words.en for words in found.tried)


async def test_a_certificate_of_an_authority_that_nobody_knows_is_no_answer(dns: Dns, web: Web) -> None:
    async def untrusting(address: str, port: int, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await web.connect(address, port, host)
        where, at = writer.get_extra_info("peername")[:2]
        writer.close()
        assert not reader.at_eof()
        return await connect_tls(where, at, host)

    web.files[CONFIG] = (200, file(server(hostname="mail.own.example.net"), domain="own.example.net"))
    found = await find_provider(Address(local="anna", domain="own.example.net"), resolver=dns, connect=untrusting)
    assert found.origin is None
    assert "certificate is not good" in found.tried[1].en


async def test_plain_http_is_never_asked_and_a_file_is_asked_for_by_the_domain_alone(dns: Dns, web: Web) -> None:
    ports: list[int] = []

    async def noting(address: str, port: int, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ports.append(port)
        return await web.connect(address, port, host)

    await find_provider(
        Address(local="anna", domain="own.example.net"), ask_database=True, resolver=dns, connect=noting
    )
    assert set(ports) == {443}
    assert web.asked == [CONFIG, "live.thunderbird.net/autoconfig/v1.1/own.example.net"]


async def test_a_known_host_beside_a_foreign_one_is_not_taken_for_the_provider(dns: Dns, web: Web) -> None:
    servers = (server(hostname="mail.own.example.net"), server("pop3", port="995", hostname="pop.gmx.net"))
    web.files[CONFIG] = (200, file(*servers, domain="own.example.net"))
    found = await find("own.example.net", dns, web)
    assert found.preset is None
    assert [words.en.split()[0] for words in found.confirm] == ["pop.gmx.net"]


async def test_a_local_domain_asks_nobody(web: Web) -> None:
    assert (await find("office.local", Dns(("127.0.0.1",), 1), web)).origin is None
