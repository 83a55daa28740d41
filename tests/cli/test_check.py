import asyncio
from pathlib import Path

from relay.settings import load_settings
from relay.supervisor import Service
from tests.cli.conftest import Run


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


def test_warnings_are_shown_and_end_with_0(run: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("anna@example.com", "anna@office.local", 1))
    said = run("check")
    assert said.status == 0
    assert "office.local" in said.out
