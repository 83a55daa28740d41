from relay.rules.notice_texts import Alert
from tests.rules.notice_examples import DOCUMENT, write_document


def test_the_page_of_examples_is_up_to_date() -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    assert page == write_document(), "run python -m tests.rules.notice_examples"
    assert all(f"### `{kind}`" in page for kind in Alert)
