from tests.presets.provider_table import DOCUMENT, write_document


def test_the_page_is_what_the_files_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == write_document(), "run python -m tests.presets.provider_table"
