from hypothesis import given
from hypothesis import strategies as st

from relay.editing.sections import cut, join
from tests.peers.relay_process import ROOT


def test_what_looks_like_a_header_within_a_text_or_a_list_is_none() -> None:
    text = 'a = """\n[b]\n"""\nl = [\n["x"],\n]\n  [[c."d e"]] # note\n[c."d e".f]\nk = 1\n# [g]\n\n'
    sections = cut(text)
    assert [(one.path, one.listed) for one in sections] == [
        ((), False),
        (("c", "d e"), True),
        (("c", "d e", "f"), False),
    ]
    assert sections[-1].content == {"k": 1}
    assert join(sections) == text


def test_comments_directly_behind_the_last_key_belong_to_the_table_unless_the_next_header_has_them() -> None:
    first, second, last = cut('a = 1\n# more\n\n# far\n[b]\nc = """\n# no note"""\n# of d\n[d]\n')
    assert (first.core, first.end) == (1, 2)
    assert (second.core, second.end) == (3, 3)
    assert (last.core, last.end) == (1, 1)


@given(st.sampled_from(["relay.example.toml", "relay.start.toml"]), st.integers(0, 400))
def test_nothing_is_lost(name: str, lines: int) -> None:
    text = "\n".join((ROOT / "config" / name).read_text().split("\n")[:lines])
    assert join(cut(text)) == text
