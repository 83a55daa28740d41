from tests.peers.system_calls import Call, read_calls

TRACE = """\
10 read(9<socket:[77]>, "DATA\\r\\n", 256) = 6
11 fdatasync(4</data/relay.db-wal> <unfinished ...>
10 write(9<socket:[77]>, "354 go on\\r\\n", 11) = 11
10 read(9<socket:[77]>, 0x7f, 256) = -1 EAGAIN (Resource temporarily unavailable)
11 <... fdatasync resumed>) = 0
12 fsync(5</data/new> <unfinished ...>
11 +++ exited with 0 +++
"""


def test_calls_are_read_with_their_beginnings_and_ends() -> None:
    assert read_calls(TRACE) == [
        Call("read", "socket:[77]", ', "DATA\\r\\n", 256) = 6', 0, 0),
        Call("write", "socket:[77]", ', "354 go on\\r\\n", 11) = 11', 2, 2),
        Call("fdatasync", "/data/relay.db-wal", " <unfinished ...>) = 0", 1, 4),
    ]
