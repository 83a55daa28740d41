import pytest

from bench.page import PAGE, put
from bench.plan import QUICK, list_measurements


def test_figures_take_the_place_of_others() -> None:
    page = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n<!-- y:begin -->\n<!-- y:end -->\n"
    changed = put(put(page, "x", "new \\1\n"), "y", "more\n")
    assert changed == "a\n<!-- x:begin -->\nnew \\1\n<!-- x:end -->\nb\n<!-- y:begin -->\nmore\n<!-- y:end -->\n"
    with pytest.raises(LookupError, match="0 places for z"):
        put(page, "z", "")


def test_the_page_has_a_place_for_each_measurement() -> None:
    for name in list_measurements(QUICK):
        put(PAGE.read_text(), name, "")
