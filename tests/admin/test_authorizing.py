"""`relay account authorize` in this process, with a real authorization server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.accounts.signing_in import SignInError
from relay.admin.authorizing import _explain
from relay.model.oauth import Flow, OAuth, Provider
from relay.rules.oauth_answers import Meaning, Refusal
from relay.settings import load_settings
from relay.storage.engine import open_engine
from relay.storage.logins import find_login
from relay.storage.upgrade import GONE
from tests.cli.conftest import Run, serve
from tests.peers.oauth_server import USER, OAuthServer
from tests.peers.relay_process import make_account, write_config


@pytest.fixture
def server() -> Iterator[OAuthServer]:
    with OAuthServer() as running:
        running.signed_in.set()
        yield running


def configure(config: Path, server: OAuthServer, flow: str) -> None:
    write_config(config.parent, accounts=[make_account("sales", 9, oauth=server.settings(flow))], archive=[])


@pytest.mark.parametrize(
    ("flow", "told"),
    [("device", f"sales is signed in as {USER}"), ("app", "sales gets its tokens by itself")],
)
def test_who_signs_in_is_stored_and_told_what_to_do_next(
    run: Run, config: Path, server: OAuthServer, flow: str, told: str
) -> None:
    server.secret = "the-clients-secret" if flow == "app" else ""
    configure(config, server, flow)
    said = run("account", "authorize", "sales")
    assert (said.status, said.err) == (0, "")
    assert said.out.endswith(
        f"{told}. To see whether sending and collecting work: relay account test sales -c {config}\n"
    )
    engine = open_engine(load_settings(config).database)
    login = find_login(engine, "sales")
    engine.dispose()
    assert login is not None
    assert login.sealed
    assert not any(secret in said.out + login.sealed for secret in server.issued)


def test_who_has_signed_in_as_somebody_else_is_told_so(run: Run, config: Path, server: OAuthServer) -> None:
    configure(config, server, "device")
    server.claims, server.scope = {"upn": "ben@example.com"}, "other"
    said = run("account", "authorize", "sales")
    assert (said.status, said.err) == (0, "")
    assert f"Look: you signed in as ben@example.com, the account wants {USER}. Sign in again as {USER}" in said.out
    assert "sales is signed in as ben@example.com." in said.out
    assert "not granted all that was asked for: mail is missing" in said.out


def test_a_refusal_is_explained(run: Run, config: Path, server: OAuthServer) -> None:
    configure(config, server, "device")
    server.refusal = {"error": "access_denied", "error_description": "she said\x1b no"}
    said = run("account", "authorize", "sales")
    assert (said.status, said.err) == (1, "Nobody is signed in: 127.0.0.1 says: access_denied: she said? no\n")
    assert "Who signed in did not agree, or may not." in said.out
    server.is_down = True
    said = run("account", "authorize", "sales")
    assert (said.status, said.err) == (1, "Nobody is signed in: 127.0.0.1 says: HTTP 503\n")


def test_a_refused_app_is_told_what_proves_it_and_not_to_sign_in(run: Run, config: Path, server: OAuthServer) -> None:
    server.secret = "the-clients-secret"
    configure(config, server, "app")
    server.refusal = {"error": "invalid_grant", "error_description": "no"}
    for command in ("authorize", "test"):
        said = run("account", command, "sales")
        words = " ".join((said.out + said.err).split())
        assert said.status == 1
        assert "invalid_grant" in words
        assert "relay account edit sales --client-secret" in words
        assert "relay account authorize" not in words


def test_before_the_first_start_the_database_is_made(run: Run, config: Path, server: OAuthServer) -> None:
    configure(config, server, "device")
    (config.parent / "relay.db").unlink()
    assert run("account", "authorize", "sales").status == 0
    assert run("account", "list").status == 0


def test_beside_a_service_whose_database_is_gone_none_is_made(run: Run, config: Path, server: OAuthServer) -> None:
    configure(config, server, "device")
    with serve(config):
        for path in filter(Path.is_file, config.parent.glob("relay.db*")):
            path.unlink()
        said = run("account", "authorize", "sales")
        assert said.status == 1
        assert f"relay.db: {GONE}" in said.err
        assert not (config.parent / "relay.db").exists()
    assert server.asked == []


def test_where_an_administrator_must_allow_it_the_link_is_shown() -> None:
    oauth = OAuth(
        provider=Provider.MICROSOFT, flow=Flow.DEVICE, client_id="c", tenant="example.com", account="sales",
        protocols=("smtp",),
    )  # fmt: skip
    refusal = Refusal(meaning=Meaning.ENDED, error="invalid_grant", text="AADSTS65001: no consent")
    lines = "\n".join(_explain(SignInError("x", refusal), oauth, "en"))
    assert "https://login.microsoftonline.com/example.com/v2.0/adminconsent?client_id=c" in lines
    assert "relay account authorize sales" in lines
    for number, is_shown in {"90093": True, "90094": True, "90095": True, "65004": False, "50076": False}.items():
        refusal = Refusal(meaning=Meaning.APP, error="access_denied", text=f"AADSTS{number}: no")
        lines = "\n".join(_explain(SignInError("x", refusal), oauth, "en"))
        assert ("adminconsent" in lines) is is_shown, number
    refusal = Refusal(meaning=Meaning.ENDED, error="invalid_grant", text="AADSTS65001: no consent")
    assert list(_explain(SignInError("nobody came"), oauth, "en")) == []
    lines = "\n".join(_explain(SignInError("x", refusal), oauth, "de"))
    assert "Ein Administrator des Verzeichnisses erlaubt es unter dieser Adresse:" in lines
    assert "administrator of" not in lines


def test_a_german_office_signs_in_in_german(run: Run, config: Path, server: OAuthServer) -> None:
    configure(config, server, "device")
    config.write_text(config.read_text().replace('language = "en"', 'language = "de"'))
    server.claims, server.scope = {"upn": "ben@example.com"}, "other"
    said = run("account", "authorize", "sales")
    assert (said.status, said.err) == (0, "")
    assert "geben Sie den Code " in said.out
    assert f"Achtung: angemeldet haben Sie sich als ben@example.com, das Konto will {USER}. Melden Sie sich" in said.out
    assert "Der Anbieter hat nicht alles gewährt, worum gebeten wurde: mail fehlt." in said.out
    assert said.out.endswith(f"Ob Senden und Abholen gehen, zeigt: relay account test sales -c {config}\n")
    server.refusal = {"error": "access_denied"}
    said = run("account", "authorize", "sales")
    assert said.status == 1
    assert "Niemand ist angemeldet: 127.0.0.1 sagt: access_denied" in said.err
