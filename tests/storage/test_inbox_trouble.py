import os
from pathlib import Path

import pytest

from relay.storage.inbox_trouble import find_trouble
from relay.storage.maildir import Maildir


def trouble(folder: Path) -> str:
    return str(find_trouble(folder / "inboxes", "anna", folder) or "")


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
        assert f"chown -R 54321 {shut}" in trouble(tmp_path)
