import os
import subprocess
from pathlib import Path

import pytest

from relay.storage.inbox_trouble import find_trouble
from relay.storage.maildir import Maildir
from tests.peers.machine import require_root


def trouble(folder: Path) -> str:
    return find_trouble(folder / "inboxes", "anna", folder)


def test_what_is_there_or_can_be_made_is_no_trouble(tmp_path: Path) -> None:
    assert trouble(tmp_path) == ""
    with Maildir(tmp_path / "inboxes", "anna"):
        assert trouble(tmp_path) == ""


def test_what_is_in_the_way_is_named_with_what_mends_it(tmp_path: Path) -> None:
    inbox = tmp_path / "inboxes/anna"
    inbox.parent.mkdir()
    inbox.write_text("")
    assert trouble(tmp_path) == f"{inbox}: it is no folder. Put it aside: mv {inbox} {inbox}.aside"
    inbox.unlink()
    inbox.symlink_to(tmp_path)
    assert trouble(tmp_path) == f"{inbox}: it is a link, and mail is written through none. Remove the link: rm {inbox}"
    inbox.unlink()
    with Maildir(tmp_path / "inboxes", "anna"):
        (inbox / "cur").rmdir()
        (inbox / "cur").symlink_to(tmp_path)
    assert "anna/cur: it is a link" in trouble(tmp_path)


@pytest.mark.parametrize("name", ["", "new"])
def test_rights_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with Maildir(tmp_path / "inboxes", "anna") as inbox:
        shut = inbox.path / name
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, *more, **how: path != shut and access(path, *more, **how))
    assert f"{shut}: it is of " in trouble(tmp_path)
    assert f"chmod u+rwx {shut}" in trouble(tmp_path)
    if os.geteuid() == 0:
        os.chown(tmp_path, 54321, 54321)
        cure = f"find {tmp_path}/inboxes '(' -path {shut} -o -path '{shut}/*' ')' -execdir chown -h 54321 {{}} +"
        assert cure in trouble(tmp_path)


def test_the_command_gives_away_an_inbox_and_nothing_that_a_link_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_root("to give files away")
    elsewhere, inboxes = tmp_path / "elsewhere", tmp_path / "in[box]*es"
    (elsewhere / "new").mkdir(parents=True)
    (elsewhere / "new/secret").write_text("")
    for user in ("anna", "anna2"):
        with Maildir(inboxes, user) as inbox:
            (inbox.path / "new/mail").write_text("")
    os.chown(tmp_path, 54321, 54321)
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, *more, **how: path != inboxes / "anna/new" and access(path, *more, **how)
    )
    command = find_trouble(inboxes, "anna", tmp_path).partition("runs the service: ")[2]
    assert command
    (inboxes / "anna").rename(tmp_path / "aside")
    (inboxes / "anna").symlink_to(elsewhere)
    subprocess.run(["sh", "-euc", command], check=True, timeout=20)
    assert [path.stat().st_uid for path in (elsewhere, *elsewhere.rglob("*"))] == [0, 0, 0]
    (inboxes / "anna").unlink()
    (tmp_path / "aside").rename(inboxes / "anna")
    subprocess.run(["sh", "-euc", command], check=True, timeout=20)
    given = {path for path in inboxes.rglob("*") if path.stat().st_uid == 54321}
    assert given == {inboxes / "anna/new", inboxes / "anna/new/mail"}
