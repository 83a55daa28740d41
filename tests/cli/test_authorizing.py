import asyncio
import os

import pytest

from relay.cli.authorizing import Terminal
from tests.cli.conftest import Run


async def test_lines_are_given_one_by_one_and_then_nothing() -> None:
    reader, writer = os.pipe()
    terminal = Terminal(reader)
    os.write(writer, b"one\n\nthr")
    assert [await terminal.paste() for _ in range(2)] == ["one", ""]
    waiting = asyncio.create_task(terminal.paste())
    os.write(writer, b"ee")
    os.close(writer)
    assert await waiting == "three"
    assert await terminal.paste() is None
    os.close(reader)
    assert await Terminal(reader).paste() is None


async def test_a_wait_that_is_given_up_leaves_the_line_for_the_next() -> None:
    reader, writer = os.pipe()
    terminal = Terminal(reader)
    waiting = asyncio.create_task(terminal.paste())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    os.write(writer, b"one\n")
    assert await terminal.paste() == "one"
    os.close(reader)
    os.close(writer)


async def test_a_file_is_read_as_well(tmp_path: "os.PathLike[str]") -> None:
    file = os.path.join(tmp_path, "lines")  # noqa: PTH118 - a descriptor is wanted
    with open(file, "wb+") as stream:  # noqa: PTH123, ASYNC230 - see above
        stream.write("grüße\r\n".encode())
        stream.seek(0)
        assert await Terminal(stream.fileno()).paste() == "grüße\r"


def test_each_line_of_a_text_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().show("one\n\ntwo\x1b[31m")
    assert capsys.readouterr().out == "one\n\ntwo\\u001b[31m\n"


def test_an_account_without_oauth_or_none_at_all(run: Run) -> None:
    said = run("account", "authorize", "sales")
    assert (said.status, said.out) == (1, "")
    assert "account[sales] has no [account.oauth]" in said.err
    said = run("account", "authorize", "salse")
    assert said.status == 1
    assert "there are: sales, old, inbox" in said.err
