"""What a service does, in lines for people."""

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

from relay.cli.summary import describe_service, describe_work
from relay.settings import Listener, ListenerTls, load_settings
from relay.watching.asking import Running, Service
from tests.peers.relay_process import make_account, write_config

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
    said = describe_service(settings, Service(running=Running.SILENT, silence="no answer"), "x")
    assert said == "Whether the service runs can't be told: no answer"
    waits = describe_service(settings, Service(running=Running.NO), "x")
    assert "waits for its first [[account]]" in waits
    assert "start" not in waits.replace("starts", "")  # it would do nothing, and say nothing
    some = load_settings(write_config(tmp_path, accounts=[make_account("sales", 9)]))
    assert "systemctl start relay" in describe_service(some, Service(running=Running.NO), "x")
    assert "relay reload" in describe_service(settings, Service(running=Running.YES, digest="y"), "x")
    assert "relay reload" in describe_service(settings, Service(running=Running.YES), "")
