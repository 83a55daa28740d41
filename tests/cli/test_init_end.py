from pathlib import Path

import pytest

from relay.cli.init_end import finish
from relay.first_steps.answers import AccountAnswer
from relay.settings import load_settings
from tests.cli.conftest import serve
from tests.peers.oauth_server import OAuthServer
from tests.peers.relay_process import ANNA, make_account, write_config

ACCOUNT = AccountAnswer(name="sales", address="sales@example.com", owner="anna")
TOKEN = AccountAnswer(name="sales", address="sales@example.com", owner="anna", oauth={})


def test_what_does_not_work_yet_is_said_with_what_mends_it(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert finish(str(config), load_settings(config), ACCOUNT, tries=True) == 1
    said = capsys.readouterr().out
    assert "FAILED connect" in said
    assert said.endswith(f"Next: mend what FAILED above, then: relay account test sales -c {config}\n")


def test_a_german_office_reads_what_is_next_in_german(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(config.read_text().replace('language = "en"', 'language = "de"'))
    assert finish(str(config), load_settings(config), ACCOUNT, tries=True) == 1
    said = capsys.readouterr().out
    assert "\nWas anderswo einzustellen ist:\n" in said
    mend = "Als Nächstes: beheben Sie, was oben mit FAILED gekennzeichnet ist, dann: relay account test sales"
    assert said.endswith(f"{mend} -c {config}\n")
    assert finish(str(config), load_settings(config), ACCOUNT, tries=False) == 0
    assert capsys.readouterr().out.endswith(f"Als Nächstes: relay serve -c {config}\n")


def test_without_a_service_it_is_to_be_started(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert finish(str(config), load_settings(config), ACCOUNT, tries=False) == 0
    assert capsys.readouterr().out.endswith(f"Next: relay serve -c {config}\n")


def test_a_service_that_runs_takes_it_over(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve(config):
        config.write_text(config.read_text() + "# more\n")
        assert finish(str(config), load_settings(config), ACCOUNT, tries=False) == 0
    said = capsys.readouterr().out
    assert "The service has taken it over. Next: send a mail as sales@example.com" in said


def test_a_test_that_can_not_be_made_is_said_with_what_is_next(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(config)
    config.write_text("no toml")
    assert finish(str(config), settings, ACCOUNT, tries=True) == 1
    said = capsys.readouterr()
    assert "relay.toml: " in said.err
    assert said.out.endswith(f"then: relay account test sales -c {config}\n")


def test_a_file_that_the_service_refuses_is_said(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings(config)
    with serve(config):
        config.write_text("no toml")
        assert finish(str(config), settings, ACCOUNT, tries=False) == 0
    said = capsys.readouterr()
    assert "The service has taken it over" not in said.out
    assert "relay.toml: " in said.out + said.err
    assert f"Next: mend what the service says above, then: relay reload -c {config}\n" in said.out
    assert f"To change this account later: relay account edit sales -c {config}\n" in said.out


def test_where_nobody_signed_in_that_comes_next(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OAuthServer() as server:
        server.refusal = {"error": "access_denied"}
        server.signed_in.set()
        oauth = server.settings("device")
        write_config(config.parent, accounts=[make_account("sales", 9, oauth=oauth)], archive=[])
        for tries in (True, False):
            assert finish(str(config), load_settings(config), TOKEN, tries=tries) == 1
            assert "Next: relay account authorize sales -c" in capsys.readouterr().out


def test_a_service_that_runs_hears_of_the_sign_in_once_it_knows_the_account(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OAuthServer() as server, serve(config) as lines:
        server.signed_in.set()
        oauth = server.settings("device")
        accounts = [
            make_account("sales", 9, oauth=oauth),
            *({"name": one, "address": f"{one}@example.com", "owner": "anna"} for one in ("old", "inbox")),
        ]
        write_config(config.parent, accounts=accounts, users=[{**ANNA, "notify": "inbox"}])
        finish(str(config), load_settings(config), TOKEN, tries=True)
        said = capsys.readouterr().out
    assert "sales is signed in as " in said
    assert "To see whether" not in said  # it is tried at once
    events = [line["event"] for line in lines if line["event"] in ("configuration_reloaded", "admin_action")]
    assert events == ["configuration_reloaded", "admin_action"]
