"""The package's postrm, run below a folder of its own: what is mail stays, whatever is purged."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "debian" / "lan-mail-relay.postrm"


def purge(top: Path, configuration: str) -> str:
    for folder in ("etc/relay/secrets", "var/log/relay", "var/lib/relay", "srv/mail"):
        (top / folder).mkdir(parents=True, exist_ok=True)
    (top / "etc/relay/relay.toml").write_text(configuration.replace("/srv", f"{top}/srv"))
    (top / "etc/relay/secrets/anna").write_text("hunter2\n")
    (top / "var/log/relay/relay.log").touch()
    (top / "srv/mail/relay.db").touch()
    script = SCRIPT.read_text()
    for folder in ("/etc/relay", "/var/log/relay", "/var/lib/relay"):
        script = script.replace(folder, f"{top}{folder}")
    ran = subprocess.run(["sh", "-s", "purge"], input=script, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stderr == ""
    return ran.stdout.replace(str(top), "")


@pytest.mark.parametrize("folder", ['"/srv/mail"', "'/srv/mail'", '"/srv/mail" # "here"'])
def test_configuration_and_log_go_and_mail_stays(tmp_path: Path, folder: str) -> None:
    said = purge(tmp_path, f"# [storage]\n[storage]\nfolder = {folder}\n")
    assert said.startswith("The queue and the inboxes stay in /srv/mail, ")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["relay.db"]


def test_logins_go_as_passwords_do_and_the_keys_of_certificates_that_others_trust_stay(tmp_path: Path) -> None:
    storage = tmp_path / "srv/mail"
    (storage / "certificates").mkdir(parents=True)
    (storage / "certificates/authority.pem").touch()
    (storage / "tokens.key").touch()
    said = purge(tmp_path, '[storage]\nfolder = "/srv/mail"\n')
    assert said.startswith("The queue, the inboxes, and the keys of the office's own certificates stay in /srv/mail, ")
    assert sorted(path.name for path in storage.rglob("*") if path.is_file()) == ["authority.pem", "relay.db"]


@pytest.mark.parametrize(
    "mail",
    [
        "etc/relay/relay.db",
        "etc/relay/inboxes/anna/new/1",
        "var/log/relay/backup/relay-2026-11-27T010000Z/manifest.json",
    ],
)
def test_mail_and_backups_that_stand_among_what_is_purged_stay(tmp_path: Path, mail: str) -> None:
    (tmp_path / mail).parent.mkdir(parents=True)
    (tmp_path / mail).touch()
    said = purge(tmp_path, "[server]\n")
    assert f"/{'/'.join(Path(mail).parts[: 3 if mail.startswith('var') else 2])} stays, since mail or a backup" in said
    assert (tmp_path / mail).exists()


def test_a_link_goes_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "var/log").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "var/log/relay").symlink_to(tmp_path / "elsewhere")
    purge(tmp_path, "[server]\n")
    assert not (tmp_path / "var/log/relay").is_symlink()
    assert (tmp_path / "elsewhere/relay.log").exists()
