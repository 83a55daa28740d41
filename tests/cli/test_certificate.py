import imaplib
import os
import ssl
from pathlib import Path

import pytest

from relay.certificates.store import Store
from relay.cli.dovecot_config import find_version
from tests.cli.conftest import Run
from tests.peers.dovecot import Dovecot


def test_a_certificate_is_made_and_shown(run: Run, config: Path) -> None:
    said = run("certificate", "show")
    assert (said.status, said.out) == (1, "")
    assert "There is no certificate in " in said.err
    said = run("certificate", "make", "--name", "mail.lan", "--name", "192.0.2.77")
    assert (said.status, said.err) == (0, "")
    store = Store(config.parent)
    assert f'    private_key = "{store.server}"\n' in said.out
    found = run("certificate", "show", "--json").json
    assert {"relay.office.example", "localhost", "127.0.0.1", "mail.lan", "192.0.2.77"} <= {*found["names"]}
    assert found["authority"] == str(store.root)
    shown = run("certificate", "show")
    assert (shown.status, shown.err) == (0, "")
    assert found["fingerprint"] in shown.out
    for word in ("Windows", "macOS", "Thunderbird", "iPhone", "Android", str(store.root), "docs/certificates.md"):
        assert word in shown.out
    pem = run("certificate", "show", "--pem")
    assert pem.out == store.root.read_text()
    for told in (said.out, shown.out, pem.out):
        assert "PRIVATE KEY" not in told


@pytest.mark.parametrize("before", ["\x1b]0;pwned\x07\x1b[2J", "Subject: x\n"])
def test_of_the_authoritys_file_the_certificate_alone_is_printed(run: Run, config: Path, before: str) -> None:
    """The service could write escape sequences there, for the terminal of root who prints it."""
    run("certificate", "make")
    store = Store(config.parent)
    pem = store.root.read_text()
    store.root.write_text(f"{before}{pem}\x1b]52;c;eA==\x07{store.server.read_text()}")
    shown = run("certificate", "show", "--pem")
    assert (shown.status, shown.out) == (0, pem)


@pytest.mark.parametrize(
    "content", ["", "\x1b[2J", "-----BEGIN CERTIFICATE-----\n\x1b[2J\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_of_an_authority_is_said(run: Run, config: Path, content: str) -> None:
    run("certificate", "make")
    root = Store(config.parent).root
    root.write_text(content)
    for arguments in ((), ("--pem",), ("--json",)):
        said = run("certificate", "show", *arguments)
        assert (said.status, said.out) == (1, "")
        assert said.err == f"{root}: it holds no certificate\n"


def test_what_it_says_makes_listeners_use_it(run: Run, config: Path) -> None:
    run("certificate", "make")
    server = Store(config.parent).server
    lines = f'tls = "starttls"\ncertificate = "{server}"\nprivate_key = "{server}"\n'
    config.write_text(config.read_text().replace("[[listener]]\n", f"[[listener]]\n{lines}"))
    assert run("check").status == 0
    assert "For a [[listener]]" not in run("certificate", "show").out


@pytest.mark.peer
def test_dovecot_takes_the_lines_for_its_version_as_they_are_printed(run: Run, config: Path) -> None:
    run("certificate", "make")
    store = Store(config.parent)
    out = run("certificate", "show").out
    version = find_version()
    lines = out[out.index(f"For Dovecot {version}") :].splitlines()[1:3]
    assert all(str(store.server) in line for line in lines)
    context = ssl.create_default_context(cadata=store.read_root().decode())
    with Dovecot(more="\n".join(lines)) as dovecot, imaplib.IMAP4("localhost", dovecot.imap_port) as session:
        assert session.starttls(context)[0] == "OK"


def test_a_name_that_the_authority_may_not_sign_for_is_said_with_what_to_do(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.first_steps.machine.own_names", lambda _: iter(["relay.office.example", "192.168.1.5"]))
    run("certificate", "make", "--name", "firma.example")
    names = ["relay.office.example", "192.168.1.6", "2001:db8::7"]
    monkeypatch.setattr("relay.first_steps.machine.own_names", lambda _: iter(names))
    said = run("certificate", "make", "--name", "pop.firma.example")
    assert (said.status, said.err) == (0, "")
    assert "certificate for relay.office.example, pop.firma.example, 192.168.1.6\n" in said.out
    assert "Without 2001:db8::7: the authority was made before" in said.out
    said = run("certificate", "make", "--name", "www.example")
    assert (said.status, said.out) == (1, "")
    assert said.err.startswith(f"{config.parent}/certificates/authority.pem: this authority was made for other names")
    assert "for www.example. Leave them out; or rename this file" in said.err


def test_a_name_that_can_not_stand_there_is_refused(run: Run, config: Path) -> None:
    said = run("certificate", "make", "--name", "a..ü")
    assert (said.status, said.out) == (1, "")
    assert "can't stand in a certificate" in said.err
    assert not Store(config.parent).server.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root is kept from nothing")
def test_a_folder_that_is_shut_is_said(run: Run, config: Path) -> None:
    config.parent.chmod(0o500)
    said = run("certificate", "make")
    config.parent.chmod(0o700)
    assert (said.status, said.out) == (1, "")
    assert "Permission denied" in said.err
