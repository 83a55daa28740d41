import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from relay.editing import EditError
from relay.first_steps import filling
from relay.first_steps.answers import AccountAnswer, Answers, UserAnswer
from relay.first_steps.composing import compose
from relay.places import VARIABLE
from relay.settings import Settings, load_settings
from tests.peers.machine import require_root

ANSWERS = Answers(
    language="en",
    hostname="mail.office.lan",
    users=(UserAnswer(name="anna", address="anna@example.com"),),
    account=AccountAnswer(
        name="anna", address="anna@example.com", owner="anna", sending={"host": "h", "username": "anna@example.com"}
    ),
)


def fill(path: Path, *, secret: str = "s", fails: bool = False) -> Path | None:
    def prove(content: bytes) -> Settings:
        if fails:
            raise KeyboardInterrupt
        return load_settings(path, written=content)

    settings, file = filling.fill(path, ANSWERS, secret, prove, storage=path.parent)
    assert settings.directory.accounts[0].name == "anna"
    return file


def test_a_file_that_was_not_there_is_made_with_its_secret(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    assert filling.read_fillable(path) == ""
    secret = fill(path)
    assert secret == tmp_path / "secrets" / "anna"
    assert secret.read_text() == "s\n"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_settings(path).directory.accounts[0].name == "anna"


@pytest.mark.parametrize("before", [None, "# nothing yet\n"])
def test_what_is_interrupted_leaves_what_was_there(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "relay.toml"
    if before is not None:
        path.write_text(before)
    with pytest.raises(KeyboardInterrupt):
        fill(path, fails=True)
    assert (path.read_text() if path.exists() else None) == before
    assert [*tmp_path.rglob("secrets/*")] == []


def test_owner_group_mode_and_link_stay(tmp_path: Path) -> None:
    require_root("to give a file to another group")
    real, path = tmp_path / "real.toml", tmp_path / "relay.toml"
    real.write_text('[log]\nlevel = "debug"\n')
    real.chmod(0o640)
    os.chown(real, 0, 54321)
    path.symlink_to(real)
    secret = fill(path)
    assert secret is not None
    assert path.is_symlink()
    for file in (real, secret):
        found = file.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 54321, 0o640)


def test_a_new_file_of_roots_can_be_read_by_who_owns_the_storage_folder(tmp_path: Path) -> None:
    require_root("to give a folder away")
    storage = tmp_path / "data"
    storage.mkdir()
    os.chown(storage, 54321, 54321)
    path = tmp_path / "relay.toml"
    filling.fill(path, replace(ANSWERS, storage=str(storage)), "s", lambda content: content, storage=storage)
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 54321, 0o640)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder of another user's, beside one of root's."""
    require_root("to give a folder away")
    for name in ("theirs", "roots"):
        (tmp_path / name).mkdir()
    os.chown(tmp_path / "theirs", 54321, 54321)
    return tmp_path / "theirs"


def test_in_anothers_folder_all_is_his(theirs: Path) -> None:
    path = theirs / "relay.toml"
    assert filling.read_fillable(path) == ""
    secret = fill(path)
    assert secret is not None
    for file, mode in ((path, 0o640), (secret.parent, 0o700), (secret, 0o600)):
        assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (54321, mode)
    path.unlink()
    path.symlink_to(theirs.parent / "roots" / "relay.toml")
    (theirs.parent / "roots" / "relay.toml").touch()
    with pytest.raises(EditError, match="who could lead root to another file"):
        filling.read_fillable(path)


def test_a_folder_that_is_exchanged_meanwhile_leads_root_nowhere(theirs: Path) -> None:
    roots, moved = theirs.parent / "roots", theirs.parent / "moved"
    (roots / "relay.toml").write_text("# root's\n")

    def exchange(content: bytes) -> bytes:
        theirs.rename(moved)
        theirs.symlink_to(roots)
        return content

    filling.fill(theirs / "relay.toml", ANSWERS, "s", exchange, storage=theirs)
    assert (roots / "relay.toml").read_text() == "# root's\n"
    assert [*roots.iterdir()] == [roots / "relay.toml"]
    assert load_settings(moved / "relay.toml", secrets=False).directory.accounts[0].name == "anna"


def test_a_folder_of_secrets_that_is_a_link_is_not_followed(theirs: Path) -> None:
    (theirs / "secrets").symlink_to(theirs.parent / "roots")
    with pytest.raises(EditError, match="secrets: is a link"):
        fill(theirs / "relay.toml")
    assert [*(theirs.parent / "roots").iterdir()] == []
    assert [*theirs.iterdir()] == [theirs / "secrets"]


def test_another_command_that_was_quicker_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_text(compose(ANSWERS))
    with pytest.raises(EditError, match="has an account already"):
        fill(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[[account]]\nname = 'x'\n", "has an account already.* relay account add NAME -c .*relay check -c "),
        (b"no toml\n", "is no TOML"),
        (b"\xff", "is no text"),
    ],
)
def test_any_other_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "relay.toml"
    path.write_bytes(content)
    with pytest.raises(EditError, match=said):
        filling.read_fillable(path)
    (tmp_path / "link").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    for name, reason in ((".", "is no plain file"), ("pipe", "is no plain file"), ("link", "is a link to what is not")):
        with pytest.raises(EditError, match=reason):
            filling.read_fillable(tmp_path / name)


def test_the_file_that_commands_use_is_chosen_else_the_one_that_they_will_find(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert filling.choose_file("x.toml") == Path("x.toml")
    assert filling.choose_file(None).name == "relay.toml"
    (tmp_path / "relay.toml").touch()
    assert filling.choose_file(None) == Path("relay.toml")
    assert filling.choose_storage(tmp_path / "relay.toml", "") is None
