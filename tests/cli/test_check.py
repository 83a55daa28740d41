"""A good configuration is summed up: what a service does with it, and whether one runs."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from relay.cli.check import describe_service, describe_work
from relay.settings import Listener, ListenerTls, load_settings
from relay.supervisor import Service
from relay.watching import asking
from relay.watching.asking import Running
from tests.cli.conftest import Run
from tests.peers.relay_process import make_account, write_config


def test_a_good_configuration_is_summed_up(run: Run) -> None:
    said = run("check")
    assert said.status == 0
    assert "good: 3 accounts, 1 user, 0 devices, 1 listener\n" in said.out
    found = run("check", "--json").json
    assert (found["accounts"], found["running"]) == (3, "no")


def test_it_says_what_the_service_will_do_and_that_none_runs(run: Run, config: Path) -> None:
    lines = run("check").out.splitlines()
    folder = config.parent
    assert lines[-5:] == [
        "  Sends by: sales",
        "  Collects: nothing",
        "  Excluded, neither sent by nor collected: old",
        f"  Inboxes: {folder}/inboxes",
        f"The service is not running. Start it: systemctl start relay, or here: relay serve -c {config}",
    ]


def test_it_says_whether_a_running_service_has_this_configuration(run: Run, config: Path) -> None:
    async def beside() -> None:
        service = Service(load_settings(config))
        await service.start()
        try:
            said = await asyncio.to_thread(run, "check")
            assert said.out.endswith("\nThe service is running with this configuration.\n")
            before = await asyncio.to_thread(config.read_text)
            await asyncio.to_thread(config.write_text, f"{before}\n# changed\n")
            said = await asyncio.to_thread(run, "check")
            assert said.out.endswith("over: relay reload (or systemctl reload relay)\n")
        finally:
            await service.stop()

    asyncio.run(beside())


def test_an_address_of_another_machine_is_named(run: Run, config: Path) -> None:
    assert "no such address" not in run("check").out
    text = config.read_text()
    assert 'host = "127.0.0.1"' in text
    config.write_text(text.replace('host = "127.0.0.1"', 'host = "192.0.2.77"', 1))
    said = run("check")
    assert said.status == 0  # the network may not be up yet
    assert "warning: relay.toml: listener[1].host: 192.0.2.77: this machine has no such address" in said.out


def test_a_client_secret_that_ends_soon_is_named(run: Run, config: Path) -> None:
    for days, said in ((61, ""), (60, "ends in 60 days"), (1, "ends in 1 day:"), (-1, "has ended")):
        end = datetime.now(UTC).date() + timedelta(days=days + 1 if days > 0 else days)
        oauth = {
            "provider": "custom", "flow": "app", "client_id": "c", "token_url": "http://127.0.0.1:9/token",
            "client_secret": "x", "scopes": ["mail"],
        }  # fmt: skip
        write_config(config.parent, accounts=[make_account("sales", 9, oauth=oauth)], archive=[])
        config.write_text(config.read_text().replace("client_secret = ", f"secret_expires = {end}\nclient_secret = "))
        out = run("check").out
        assert ("account[sales].oauth: the client secret" in out) is bool(said)
        assert said in out


def test_warnings_are_shown_and_end_with_0(run: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("anna@example.com", "anna@office.local", 1))
    said = run("check")
    assert said.status == 0
    assert "office.local" in said.out


DAY = 86_400_000


def test_listeners_accounts_and_what_becomes_of_mail_at_the_provider(tmp_path: Path) -> None:
    def pop3(**more: object) -> dict[str, object]:
        return {"host": "x", "username": "u", "password": "p", "interval": "90 s", **more}

    accounts = [
        make_account("sales", 9, pop3=pop3()),
        make_account("bert", 9, pop3=pop3(leave_on_server=True, interval="5 min")),
        make_account("carl", 9, pop3=pop3(leave_on_server="14 days", interval="1 h")),
        *(make_account(f"a{n}", 9) for n in range(9)),
    ]
    settings = load_settings(write_config(tmp_path, accounts=accounts))
    lan = Listener(
        host="0.0.0.0", port=25, networks=(ip_network("192.168.1.0/24"),), tls=ListenerTls.STARTTLS, require_auth=True
    )
    lines = describe_work(replace(settings, listeners=(lan,)))
    assert lines == [
        "Takes mail at: 0.0.0.0 port 25, with STARTTLS, from 192.168.1.0/24, with a login",
        "Sends by: sales, bert, carl, a0, a1, a2, a3, a4, a5, a6 and 2 more",
        (
            "Collects: sales every 90 s, then deleted at the provider; bert every 5 min, stays at the provider;"
            " carl every 1 h, deleted there after 14 days"
        ),
        f"Inboxes: {tmp_path}/inboxes",
    ]
    none = load_settings(write_config(tmp_path, accounts=[]))
    assert "Sends by: no account, so every mail is refused" in describe_work(none)


def test_whether_a_service_runs(tmp_path: Path) -> None:
    settings = load_settings(write_config(tmp_path, accounts=[]))
    said = describe_service(settings, asking.Service(running=Running.SILENT, silence="no answer"), "x")
    assert said == "Whether the service runs can't be told: no answer"
    waits = describe_service(settings, asking.Service(running=Running.NO), "x")
    assert "waits for its first [[account]]" in waits
    assert "start" not in waits.replace("starts", "")  # it would do nothing, and say nothing
    some = load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)]))
    assert "systemctl start relay" in describe_service(some, asking.Service(running=Running.NO), "x")
    assert "relay reload" in describe_service(settings, asking.Service(running=Running.YES, digest="y"), "x")
    assert "relay reload" in describe_service(settings, asking.Service(running=Running.YES), "")
