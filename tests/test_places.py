from pathlib import Path

import pytest

from relay.places import (
    PAGES,
    PLACES,
    VARIABLE,
    digest_of,
    find_file,
    find_storage,
    guide,
    is_the_services_own,
    name_option,
    name_page,
    repeat_option,
)
from tests.peers.relay_process import ROOT


def test_the_option_goes_before_the_variable_and_both_before_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / PLACES[0]).touch()
    monkeypatch.setenv(VARIABLE, "not-there.toml")
    assert find_file("named.toml") == Path("named.toml")
    assert find_file(None) == Path("not-there.toml")
    monkeypatch.delenv(VARIABLE)
    assert find_file(None) == PLACES[0]


def test_a_link_to_nothing_is_found_so_that_somebody_says_what_is_wrong_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    PLACES[0].symlink_to("not-there.toml")
    assert find_file(None) == PLACES[0]


def test_the_next_command_finds_the_same_file_from_wherever_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert name_option(Path("my relay.toml")) == f" -c '{tmp_path}/my relay.toml'"
    assert repeat_option("relay.toml", Path("relay.toml")) == f" -c {tmp_path}/relay.toml"
    assert repeat_option(None, Path("relay.toml")) == ""


def test_one_file_is_the_services_own_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "relay").mkdir()
    monkeypatch.chdir(tmp_path / "relay")
    assert not is_the_services_own(Path("relay.toml"))
    assert not is_the_services_own(tmp_path / "relay" / "relay.toml")
    monkeypatch.chdir("/")
    assert is_the_services_own(Path("etc/relay/relay.toml"))
    assert is_the_services_own(Path("/etc/relay/relay.toml"))


def test_a_hash_is_of_the_bytes_and_empty_without_any(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    assert digest_of(file) == ""
    file.write_bytes(b"a = 1\n")
    before = digest_of(file)
    assert len(before) == 64
    file.write_bytes(b"a = 2\n")
    assert digest_of(file) not in ("", before)


@pytest.mark.parametrize(
    ("content", "folder"),
    [
        (b"", "."),
        (b'\xef\xbb\xbf[storage]\nfolder = "mail"\n', "mail"),
        (b'[storage]\nfolder = "/var/mail"\n', "/var/mail"),
        (b'[storage]\nfolder = ""\n', "."),
    ],
)
def test_the_storage_folder_is_found_beside_the_configuration(tmp_path: Path, content: bytes, folder: str) -> None:
    file = tmp_path / "relay.toml"
    file.write_bytes(content)
    assert find_storage(file) == tmp_path / folder


@pytest.mark.parametrize(
    "content", [b"[storage", b"storage = 1\n", b"[storage]\nfolder = 1\n", b"\xff", b"a = " + b"[" * 5000]
)
def test_what_names_no_folder_is_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "relay.toml"
    assert find_storage(file) is None
    file.write_bytes(content)
    assert find_storage(file) is None


def test_a_page_is_named_where_it_is_on_this_machine(tmp_path: Path) -> None:
    assert name_page("backup.md", tmp_path) == "docs/backup.md"
    page = tmp_path / "providers" / "google.md"
    page.parent.mkdir()
    page.touch()
    assert name_page("providers/google.md", tmp_path) == str(page)


def test_each_page_that_is_named_is_in_the_source_and_in_the_package() -> None:
    pages = {"microsoft": "providers/microsoft365.md", "google": "providers/google.md", "ionos": "providers/others.md"}
    for provider, page in pages.items():
        assert guide(provider) in (f"docs/{page}", str(PAGES / page))
        assert (ROOT / "docs" / page).is_file()
    assert "dh_installdocs README.md SECURITY.md docs/*.md docs/decisions docs/providers" in (
        ROOT / "debian" / "rules"
    ).read_text(encoding="utf-8")
