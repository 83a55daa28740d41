"""The demonstration runs, and fails where what it shows is not what must be."""

import asyncio
import dataclasses
import tempfile
from pathlib import Path

import pytest

from relay.demo import play as module
from relay.demo.play import play
from relay.demo.scenes import SCENES


async def test_everything_goes_as_it_must() -> None:
    said: list[str] = []
    assert await play(once=True, say=said.append)
    text = "\n".join(said)
    for word in (
        "rule        1a",
        "rule        2a",
        "rule        3",
        "blind copy to",
        "excluded",
        "contract.tif",
        "1 fetched",
        "as it must",
    ):
        assert word in text


async def test_it_notices_what_does_not_go_as_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dataclasses.replace(SCENES[0], from_header="somebody else <sales@example.com>")
    monkeypatch.setattr(module, "SCENES", (wrong,))
    assert not await play(once=True, say=lambda _: None)


@pytest.mark.parametrize("keep", [False, True])
def test_the_folder_is_named_only_where_it_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, keep: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "SCENES", SCENES[:1])
    said: list[str] = []
    good = asyncio.run(play(once=True, say=said.append, keep=keep))
    assert good, "\n".join(said)
    folders = list(tmp_path.iterdir())
    assert (str(tmp_path) in "\n".join(said)) is bool(folders) is keep
    for folder in folders:
        assert f"Everything is in {folder}, and stays there" in "\n".join(said)
        assert {"relay.toml", "relay.db", "relay.log", "inboxes"} <= {path.name for path in folder.iterdir()}
