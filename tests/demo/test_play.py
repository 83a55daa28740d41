"""The demonstration runs, and fails where what it shows is not what must be."""

import dataclasses

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
