"""Certificates of a service that runs: its own is made anew in time, and one from elsewhere is taken over."""

import asyncio
import datetime as dt
import smtplib
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import trustme

from relay.certificate_keeping import AGAIN, CertificateKeeper
from relay.certificates.store import Store
from relay.events.event import Event
from relay.events.service import (
    CertificateNotRenewed,
    CertificateNotTakenOver,
    CertificateRenewed,
    CertificateTakenOver,
)
from relay.model.errors import RelayError
from relay.rules.certificates import read_certificate
from relay.runtime import Runtime
from relay.settings import load_settings
from relay.supervisor import Service
from tests.peers.office import Office, open_office
from tests.peers.provider import Provider
from tests.peers.relay_process import Table, make_account, write_config

DAY = 86_400_000


def shown(port: int, authority: bytes) -> set[str]:
    """Log in as a client that trusts this authority alone; gives the names of the certificate that it is shown."""
    context = ssl.create_default_context(cadata=authority.decode())
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as smtp:
        smtp._host = "relay.example"  # type: ignore[attr-defined]
        smtp.starttls(context=context)
        assert isinstance(smtp.sock, ssl.SSLSocket)
        found = read_certificate(smtp.sock.getpeercert(binary_form=True) or b"")
    assert found is not None
    return {*found.names}


@asynccontextmanager
async def serving(folder: Path, certificate: str, key: str) -> AsyncGenerator[Service]:
    listener: Table = {"tls": "starttls", "certificate": certificate, "private_key": key}
    service = Service(load_settings(write_config(folder, accounts=[make_account("sales", 9)], listener=listener)))
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


def issue(folder: Path, authority: trustme.CA, *names: str) -> None:
    """Do as certbot does: new files, and links that lead to them from then on."""
    made = authority.issue_cert(*names)
    for name, pem in (("key", made.private_key_pem), ("crt", made.cert_chain_pems[0])):
        file = folder / f"{names[-1]}.{name}"
        pem.write_to_path(file)
        link = folder / f"new.{name}"
        link.symlink_to(file.name)
        link.rename(folder / f"live.{name}")


async def test_a_certificate_from_elsewhere_is_taken_over_when_its_file_changes(
    tmp_path: Path, recorded_events: list[Event]
) -> None:
    authority = trustme.CA()
    root = authority.cert_pem.bytes()
    issue(tmp_path, authority, "relay.example", "first.example")
    async with serving(tmp_path, "live.crt", "live.key") as service:
        (port,) = service.ports
        assert "first.example" in await asyncio.to_thread(shown, port, root)
        await service.certificates.look()
        issue(tmp_path, authority, "relay.example", "second.example")
        await service.certificates.look()
        assert "second.example" in await asyncio.to_thread(shown, port, root)
        assert CertificateTakenOver(certificate=str(tmp_path / "live.crt")) in recorded_events
        # What does not fit together is not, and is said once; as soon as it fits it is.
        recorded_events.clear()
        (tmp_path / "live.key").unlink()
        (tmp_path / "live.key").write_bytes(trustme.CA().issue_cert("x.example").private_key_pem.bytes())
        for _ in range(2):
            await service.certificates.look()
        assert [type(one) for one in recorded_events] == [CertificateNotTakenOver]
        assert "second.example" in await asyncio.to_thread(shown, port, root)
        issue(tmp_path, authority, "relay.example", "third.example")
        await service.certificates.look()
        assert "third.example" in await asyncio.to_thread(shown, port, root)


async def test_the_offices_own_is_made_anew_and_shown_without_a_word_of_anybody(
    tmp_path: Path, recorded_events: list[Event]
) -> None:
    store = Store(tmp_path)
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=370)
    store.make(["relay.example", "192.0.2.5"], "Mail", long_ago)
    root, before = store.read_root(), store.server.read_bytes()
    async with serving(tmp_path, "certificates/relay.pem", "certificates/relay.pem") as service:
        await service.certificates.look()
        assert store.server.read_bytes() != before
        assert [type(one) for one in recorded_events[-2:]] == [CertificateRenewed, CertificateTakenOver]
        assert await asyncio.to_thread(shown, service.ports[0], root) == {"relay.example", "192.0.2.5"}


@asynccontextmanager
async def keeping(folder: Path, take: Callable[[Path], None]) -> AsyncGenerator[tuple[Office, CertificateKeeper]]:
    async with Provider() as provider, open_office(folder, port=provider.port) as office:
        runtime = Runtime(settings=lambda: office.settings, queue=office.queue, now=lambda: office.now)
        yield office, CertificateKeeper(runtime, take)


async def test_what_can_not_be_made_anew_is_said_and_tried_each_hour(
    tmp_path: Path, recorded_events: list[Event]
) -> None:
    async with keeping(tmp_path, lambda _path: None) as (office, keeper):
        store = Store(office.settings.folder)
        store.make(["relay.example"], "Mail", dt.datetime.fromtimestamp(office.now / 1000, dt.UTC))
        authority = store.folder / "authority.pem"
        authority.rename(store.folder / "away")
        office.now += 370 * DAY
        for wait in (0, AGAIN - 1, 1):
            office.now += wait
            await keeper.look()
        said = [one for one in recorded_events if isinstance(one, CertificateNotRenewed)]
        assert [one.reason for one in said] == [f"{authority}: it is gone, so that nothing can be signed"] * 2
        (store.folder / "away").rename(authority)
        office.now += AGAIN
        await keeper.look()
        assert isinstance(recorded_events[-1], CertificateRenewed)


async def test_a_listener_of_a_reload_has_read_its_certificate_already(tmp_path: Path) -> None:
    def refuse(_path: Path) -> None:
        raise RelayError("not asked")

    async with keeping(tmp_path, refuse) as (office, keeper):
        listener = replace(office.settings.listeners[0], certificate=tmp_path / "c", private_key=tmp_path / "k")
        office.settings = replace(office.settings, listeners=(listener,))
        await keeper.look()
        await keeper.look()
        office.settings = replace(office.settings, listeners=())
        await keeper.look()
        assert keeper._known == {}
