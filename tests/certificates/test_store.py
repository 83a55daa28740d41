import datetime as dt
import imaplib
import ssl
import stat
from pathlib import Path

import pytest

from relay.certificates import CertificateError
from relay.certificates.store import RENEWED, Store
from tests.peers.dovecot import Dovecot

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    store.make(["relay.example", "192.0.2.5"], "Mail", NOW)
    return store


def test_keys_are_their_owners_alone_and_the_authority_is_for_all(store: Store) -> None:
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in store.folder.iterdir()}
    assert modes == {"authority.crt": 0o644, "authority.pem": 0o600, "relay.pem": 0o600}
    assert b"PRIVATE KEY" not in store.read_root()
    assert store.server.read_bytes().endswith(store.read_root())


def test_it_is_made_anew_30_days_before_its_end_by_the_same_authority(store: Store) -> None:
    root, before = store.read_root(), store.server.read_bytes()
    found = store.read()
    assert found is not None
    assert store.renew(found.until - RENEWED - dt.timedelta(seconds=1)) is None
    made = store.renew(found.until - RENEWED)
    assert made is not None
    assert made.names == ("relay.example", "192.0.2.5")
    assert made.until == found.until - RENEWED + dt.timedelta(days=397)
    assert store.read_root() == root
    assert store.server.read_bytes() != before
    assert store.renew(found.until - RENEWED) is None


def test_made_again_it_has_the_new_names_and_the_old_authority(store: Store) -> None:
    root = store.read_root()
    assert store.make(["other.lan"], "Another", NOW, others=["192.168.1.5", "8.8.8.8"]) == ("8.8.8.8",)
    found = store.read()
    assert found is not None
    assert found.names == ("other.lan", "192.168.1.5")
    assert store.read_root() == root


def test_for_other_names_another_authority_is_needed_which_is_said(store: Store) -> None:
    before = store.server.read_bytes()
    with pytest.raises(
        CertificateError, match=r"authority\.pem: this authority was made for other names.*other\.example"
    ):
        store.make(["other.example"], "Another", NOW)
    assert store.server.read_bytes() == before
    root = store.read_root()
    authority = store.folder / "authority.pem"
    authority.rename(authority.with_suffix(".old"))
    store.make(["other.example"], "Another", NOW)
    assert store.read_root() != root


def test_from_the_key_of_the_authority_its_certificate_is_written_again_for_all(store: Store) -> None:
    root = store.read_root()
    store.root.unlink()
    store.folder.chmod(0o700)
    assert store.renew(NOW) is None
    assert store.read_root() == root
    assert [stat.S_IMODE(one.stat().st_mode) for one in (store.folder, store.root)] == [0o755, 0o644]


def test_where_there_is_none_nothing_is_made_anew(tmp_path: Path) -> None:
    assert Store(tmp_path).renew(NOW) is None
    assert [*tmp_path.iterdir()] == []


def test_an_authority_that_is_gone_or_broken_is_named(store: Store) -> None:
    later = NOW + dt.timedelta(days=390)
    before = store.server.read_bytes()
    (store.folder / "authority.pem").write_bytes(b"x")
    with pytest.raises(CertificateError, match=r"authority\.pem: it holds no"):
        store.renew(later)
    (store.folder / "authority.pem").unlink()
    with pytest.raises(CertificateError, match=r"authority\.pem: it is gone"):
        store.renew(later)
    assert store.server.read_bytes() == before


@pytest.mark.peer
def test_dovecot_takes_the_one_file_for_both(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.make(["localhost"], "Mail", NOW)
    context = ssl.create_default_context(cadata=store.read_root().decode())
    with (
        Dovecot(certificate=store.server.read_bytes()) as dovecot,
        imaplib.IMAP4("localhost", dovecot.imap_port) as session,
    ):
        assert session.starttls(context)[0] == "OK"
