import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from relay.model.errors import StorageError
from relay.storage import bodies
from relay.submission.body import BodyVersion
from tests.peers.office import open_office
from tests.storage.conftest import new_mail


async def test_the_last_chunk_stays_in_memory_the_others_are_written(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        body = BodyVersion(number=1, queue=office.queue, message_id="m" * 26)
        assert (body.rest, body.written_ahead) == ((), False)
        for chunk in (b"one", b"", b"two"):
            await body.add(chunk)
        assert (body.size, body.written_ahead) == (6, True)
        assert body.rest == ((1, 1, b"two"),)
        await body.wait()
        await office.queue.accept(replace(new_mail(id="m" * 26), chunks=body.rest))
        assert b"".join([chunk async for chunk in office.queue.chunks("m" * 26, 1)]) == b"onetwo"


async def test_what_can_not_be_written_is_told_with_a_later_chunk_or_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with open_office(tmp_path) as office:
        body = BodyVersion(number=0, queue=office.queue, message_id="m" * 26)
        monkeypatch.setattr(bodies, "_create", refuse)
        for chunk in (b"one", b"two", b"three", b"four"):
            await body.add(chunk)
        with pytest.raises(StorageError):
            await body.add(b"five")
        await body.add(b"six")
        with pytest.raises(StorageError):
            await body.wait()
        await body.add(b"seven")
        await body.forget()
        await body.wait()
