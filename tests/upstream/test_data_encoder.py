import itertools

from hypothesis import given
from hypothesis import strategies as st

from relay.rules.dot_stuffing import DotReader
from relay.upstream.data_encoder import DataEncoder

pieces = st.sampled_from([b"\r\n", b".", b"a", b"..", b"x" * 400, b"\r\n.\r\n"])


@given(chunks=st.lists(st.lists(pieces, max_size=5).map(b"".join), max_size=8), fold=st.booleans())
def test_what_is_stuffed_reads_back(chunks: list[bytes], fold: bool) -> None:
    encoder = DataEncoder(fold=fold)
    wire = b"".join(encoder.feed(chunk) for chunk in chunks) + encoder.close()
    content = b"".join(chunks)
    reader = DotReader()
    read = reader.feed(wire)
    assert reader.ended
    assert reader.rest == b""
    whole = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
    if fold:
        assert all(len(line) <= 998 for line in read.split(b"\r\n"))
        assert read.replace(b"\r\n", b"") == whole.replace(b"\r\n", b"")
        if all(len(line) <= 998 for line in whole.split(b"\r\n")):
            assert read == whole
    else:
        assert read == whole


@given(
    data=st.lists(pieces, max_size=12).map(b"".join), at=st.lists(st.integers(0, 3000), max_size=6), fold=st.booleans()
)
def test_the_cuts_make_no_difference(data: bytes, at: list[int], fold: bool) -> None:
    whole = DataEncoder(fold=fold)
    expected = whole.feed(data) + whole.close()
    cut = DataEncoder(fold=fold)
    edges = sorted({0, len(data), *(n % (len(data) + 1) for n in at)})
    found = b"".join(cut.feed(data[a:b]) for a, b in itertools.pairwise(edges)) + cut.close()
    assert found == expected
