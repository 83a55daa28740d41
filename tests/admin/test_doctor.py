"""The doctor tells each step as it ends, and a provider never gets a login again that it has refused."""

from collections.abc import Generator
from pathlib import Path

import pytest

from relay.admin.doctor import examine, provider_of
from relay.admin.requests import Note, Told, TryAccount
from relay.cli.alone import open_room
from relay.demo.provider import PASSWORD, Mailbox
from relay.model.account import Account, Pop3Server, Security
from relay.model.address import Address
from tests.cli.conftest import Run, serve_mailbox
from tests.peers.dialogue import Dialogue
from tests.peers.machine import Loop
from tests.peers.oauth_server import OAuthServer
from tests.peers.relay_process import ANNA, Table, make_account, write_config


@pytest.fixture
def mailbox() -> Generator[Mailbox]:
    """A POP3 server with one mailbox, in a thread of its own."""
    with serve_mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def smtp_that_refuses() -> Generator[int]:
    """A submission server that refuses every login; gives its port."""
    script = "S: 220 hi\nC: EHLO .*\nS: 250-x\nS: 250 AUTH PLAIN\nC: AUTH .*\nS: 535 5.7.8 no\n! silence"
    with Loop() as loop:
        server = Dialogue(*[script] * 2)
        loop.run(server.__aenter__())
        yield server.port
        loop.run(server.__aexit__(None, None, None))


def collected(mailbox: Mailbox, *names: str, password: str = PASSWORD) -> list[Table]:
    pop3 = {"host": "127.0.0.1", "port": mailbox.port, "security": "none", "username": "u", "password": password}
    return [{"name": name, "address": f"{name}@example.com", "owner": "anna", "pop3": pop3} for name in names]


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("pop3.web.de", "web.de"),
        ("SMTP.web.de", "web.de"),
        ("mx1.mail.office.example", "office.example"),
        ("pop.firm.co.uk", "firm.co.uk"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
    ],
)
def test_servers_of_one_provider_are_known_by_preset_or_domain(host: str, provider: str) -> None:
    server = Pop3Server(host=host, port=995, security=Security.TLS, username="u")
    account = Account(name="a", address=Address(local="a", domain="office.example"), owner="anna", pop3=server)
    assert provider_of(account, server) == provider


def test_each_step_is_told_before_the_next_one_begins(config: Path, mailbox: Mailbox) -> None:
    write_config(config.parent, accounts=collected(mailbox, "sales"), users=[ANNA])
    told = examine(open_room(str(config)), TryAccount(account="sales"))
    assert isinstance(next(told), Note)
    found = next(told)
    assert isinstance(found, Told)
    assert found.json[0]["step"] == "find the host"
    assert mailbox.sessions == 0  # nobody has connected so far
    assert [one.json[0]["step"] for one in told if isinstance(one, Told)] == [
        *("connect", "log in", "list the messages", "the mailbox")
    ]
    assert mailbox.sessions == 1


def test_which_password_is_meant_is_said_also_where_it_is_taken(config: Path, mailbox: Mailbox) -> None:
    account = {**collected(mailbox, "sales")[0], "preset": "gmx"}
    write_config(config.parent, accounts=[account], users=[ANNA])
    told = list(examine(open_room(str(config)), TryAccount(account="sales")))
    assert isinstance(told[0], Told)
    (means,) = told[0].lines
    assert means.startswith("Password: GMX means the password of your GMX account")
    assert (told[0].json[0]["step"], f"Password: {told[0].json[0]['text']}") == ("which password", means)
    assert isinstance(told[-1], Note)
    assert told[-1].text == "sales works"


def test_who_listens_no_more_ends_the_test(config: Path, mailbox: Mailbox) -> None:
    write_config(config.parent, accounts=collected(mailbox, "sales"), users=[ANNA])
    told = examine(open_room(str(config)), TryAccount(account="sales"))
    next(told)
    next(told)
    told.close()  # type: ignore[attr-defined]
    assert mailbox.sessions == 0


def test_all_accounts_stop_at_the_first_refusal_of_a_provider(run: Run, config: Path, mailbox: Mailbox) -> None:
    with serve_mailbox() as other:
        first = collected(mailbox, "one", "two", "three$", password="of-yesterday")
        elsewhere = [{**one, "pop3": {**one["pop3"], "host": "localhost"}} for one in collected(other, "else")]
        excluded = {**collected(mailbox, "old")[0], "excluded": True}
        write_config(config.parent, accounts=[first[0], *elsewhere, excluded, *first[1:]], users=[ANNA])
        said = run("account", "test", "--all", "--json")
        assert (mailbox.sessions, other.sessions) == (1, 1)
    assert said.status == 1
    assert [one["account"] for one in said.json if one["step"] == "log in"] == ["one", "two", "three$", "else"]
    logins = {one["account"]: one for one in said.json if one["step"] == "log in"}
    assert logins["one"]["text"].endswith("wrong password")
    assert logins["two"]["text"] == "not tried: this provider has refused the login of one"
    assert "Mend one first" in logins["three$"]["advice"]
    assert logins["three$"]["advice"].endswith("relay account test 'three$'")
    assert logins["else"]["good"]
    assert "1 account works; not one, two, three" in said.err


def test_a_refused_app_is_tried_once_for_all_its_accounts(run: Run, config: Path) -> None:
    with OAuthServer(secret="another", refusal={"error": "invalid_client"}) as server:
        names = ("one", "two", "three")
        accounts = [make_account(name, 9, oauth=server.settings("app")) for name in names]
        write_config(config.parent, accounts=accounts, users=[ANNA])
        said = run("account", "test", "--all", "--json")
        assert len(server.asked) == 1
    assert said.status == 1
    assert [(one["account"], one["step"]) for one in said.json] == [(name, "get a token") for name in names]
    assert "Mend one first" in said.json[-1]["advice"]


def test_who_has_not_signed_in_keeps_no_other_account_from_it(run: Run, config: Path) -> None:
    with OAuthServer(secret="the-clients-secret") as server:
        accounts = [make_account("one", 9, oauth=server.settings("device"))]
        accounts += [make_account("two", 9, oauth=server.settings("app"))]
        write_config(config.parent, accounts=accounts, users=[ANNA])
        said = run("account", "test", "--all", "--json")
        assert len(server.asked) == 1
    assert [one["good"] for one in said.json if one["step"] in ("signed in", "get a token")] == [False, True]


def test_a_login_that_sending_was_refused_is_not_tried_for_collecting(
    run: Run, config: Path, mailbox: Mailbox, smtp_that_refuses: int
) -> None:
    account = collected(mailbox, "sales")[0]
    for login, sessions in (("U@example.com", 0), ("somebody", 1)):
        smtp = {"host": "127.0.0.1", "port": smtp_that_refuses, "security": "none", "username": login, "password": "p"}
        write_config(config.parent, accounts=[{**account, "smtp": smtp}], users=[ANNA])
        said = run("account", "test", "sales", "--json")
        assert said.status == 1
        refused = [one for one in said.json if not one["good"]]
        assert refused[0]["text"].startswith("535")
        assert ("just refused the same login" in refused[-1]["text"]) is (sessions == 0)
        assert mailbox.sessions == sessions


def test_which_accounts_is_said_once(run: Run) -> None:
    for arguments, why in (([], "Missing argument 'ACCOUNT'"), (["sales", "--all"], "give either")):
        said = run("account", "test", *arguments)
        assert (said.status, why in said.err) == (2, True)
    said = run("account", "test", "slaes")
    assert said.status == 1
    assert "sales" in said.err


def test_without_an_account_to_test_it_says_so(run: Run, config: Path) -> None:
    write_config(config.parent, accounts=[], users=[ANNA])
    said = run("account", "test", "--all")
    assert said.status == 1
    assert "no account to test" in said.err


def test_a_round_trip_wants_both_ways_and_one_account(run: Run, config: Path, mailbox: Mailbox) -> None:
    write_config(config.parent, accounts=collected(mailbox, "sales"), users=[ANNA])
    said = run("account", "test", "sales", "--round-trip")
    assert (said.status, said.err) == (1, "account[sales] has no [account.smtp]: no mail can go round\n")
    assert run("account", "test", "--all", "--round-trip").status == 2
    assert mailbox.sessions == 0


@pytest.mark.parametrize("everything", [False, True])
def test_a_password_that_cant_be_read_was_refused_by_nobody(
    run: Run, config: Path, mailbox: Mailbox, everything: bool
) -> None:
    account = collected(mailbox, "sales")[0]
    pop3 = {key: value for key, value in account["pop3"].items() if key != "password"}
    gone = {"username": "u", "password_file": str(config.parent / "gone")}
    smtp = {"host": "127.0.0.1", "port": mailbox.port, "security": "none", **gone}
    write_config(
        config.parent,
        accounts=[{**account, "smtp": smtp, "pop3": {**pop3, **gone}}, collected(mailbox, "two")[0]],
        users=[ANNA],
    )
    said = run("account", "test", "--all" if everything else "sales", "--json")
    failed = [one["text"] for one in said.json if one["account"] == "sales" and not one["good"]]
    assert failed[-1] == "not tried: the same password can't be read (see above)"
    assert "refused" not in " ".join(failed)
    assert [one["good"] for one in said.json if one["account"] == "two" and one["step"] == "log in"] == [
        True
    ] * everything
