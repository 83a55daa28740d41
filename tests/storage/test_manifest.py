"""What a backup says of itself, and whether it is true."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from relay.model.errors import StorageError
from relay.storage.manifest import (
    MANIFEST,
    Entry,
    Manifest,
    find_backups,
    is_backup,
    name_backup,
    opened,
    read_entry,
    read_manifest,
    verify,
    write_manifest,
)

SHA = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
"""Of "hello"."""
ONE = Entry(path="files/0001-a", size=5, sha256=SHA, origin="a.pem")
ODD = Entry(path="inboxes/anna/cur/1.\udcff:2,", size=5, sha256=SHA)
PLAIN = Manifest(
    at=1_795_773_600_000,
    installation="fedc",
    program="1.2.3",
    schema=4,
    configuration="/etc/relay/relay.toml",
    inboxes=True,
    secrets=False,
    blanked=("a.b",),
    missing=("c",),
    files=(ONE, ODD),
)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    folder = tmp_path / name_backup(PLAIN.at)
    for entry in PLAIN.files:
        path = folder / entry.path
        path.parent.mkdir(parents=True)
        path.write_bytes(b"hello")
    (folder / MANIFEST).write_bytes(write_manifest(PLAIN))
    return folder


def test_it_is_read_as_it_was_written(backup: Path) -> None:
    assert backup.name == "relay-2026-11-27T100000Z"
    assert read_manifest(backup) == PLAIN
    assert PLAIN.find("files/0001-a") == ONE
    assert PLAIN.find("x") is None
    octets: list[int] = []
    verify(backup, PLAIN, octets.append)
    assert octets == [5, 5]
    verify(backup, PLAIN, octets.append, whole=False)
    assert octets == [5, 5, 5]
    assert read_entry(backup, ONE) == b"hello"


def test_backups_are_found_by_their_names_and_manifests(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "relay-2020-01-01T000000Z").mkdir()
    (tmp_path / f".{backup.name}.fedc.partial").mkdir()
    assert find_backups(tmp_path) == [backup]
    assert is_backup(backup)
    assert not is_backup(tmp_path)
    with pytest.raises(StorageError, match="No such file"):
        find_backups(tmp_path / "nowhere")


def test_a_file_that_is_not_what_was_written_is_named(backup: Path) -> None:
    (backup / ONE.path).write_bytes(b"hellO")
    for read in (lambda: verify(backup, PLAIN, lambda _: None), lambda: read_entry(backup, ONE)):
        with pytest.raises(StorageError, match="0001-a: is damaged: it is not what was written: take another backup"):
            read()
    (backup / ONE.path).unlink()
    with pytest.raises(StorageError, match="0001-a: No such file or directory: take another backup"):
        verify(backup, PLAIN, lambda _: None)


@pytest.mark.parametrize(
    "path", ["files/../../x", "/etc/passwd", "x", "inboxes/../new/a", "inboxes/a/new/..", "files/"]
)
def test_a_manifest_that_names_other_places_is_refused(backup: Path, path: str) -> None:
    (backup / MANIFEST).write_bytes(write_manifest(replace(PLAIN, files=(replace(ONE, path=path),))))
    with pytest.raises(StorageError, match="names files that no backup has"):
        read_manifest(backup)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"size": 5', '"size": "5"'),
        ('"size": 5', '"size": -5'),
        ('"size": 5', '"size": 99999999999'),
        (f'"at": {PLAIN.at}', '"at": 1e9'),
        (f'"at": {PLAIN.at}', '"at": 99999999999999999999'),
        ('"schema": 4', '"schema": "4"'),
        ('"path": "files/0001-a"', '"path": 5'),
        ('"origin": "a.pem"', '"origin": ["a.pem"]'),
        ('"origin": "a.pem"', '"origin": "a\\u0000b"'),
        ('"configuration": "/etc/relay/relay.toml"', '"configuration": null'),
        ('"a.b"', "7"),
    ],
)
def test_a_manifest_whose_values_are_of_another_kind_is_damaged(backup: Path, before: str, after: str) -> None:
    content = (backup / MANIFEST).read_text()
    assert before in content
    (backup / MANIFEST).write_text(content.replace(before, after, 1))
    with pytest.raises(StorageError, match="is damaged: take another backup"):
        read_manifest(backup)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 1}', "[" * 100_000, '{"format": "x"}'])
def test_a_damaged_manifest_is_one_line(backup: Path, content: str) -> None:
    (backup / MANIFEST).write_text(content)
    with pytest.raises(StorageError, match=r"manifest.json is damaged: take another backup"):
        read_manifest(backup)


def test_no_link_is_followed_within(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"hello")
    (backup / ONE.path).unlink()
    (backup / ONE.path).symlink_to(tmp_path / "secret")
    with pytest.raises(StorageError, match="Too many levels of symbolic links"):
        verify(backup, PLAIN, lambda _: None)
    (backup / "pipe").mkdir()
    os.mkfifo(backup / "pipe" / "p")
    with opened(backup) as open_file, pytest.raises(OSError, match="no plain file"):
        open_file("pipe/p")
    with pytest.raises(StorageError, match="nowhere"), opened(tmp_path / "nowhere"):
        pass
