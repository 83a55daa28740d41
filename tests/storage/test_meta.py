from sqlalchemy import Engine

from relay.storage import meta
from relay.storage.engine import transaction


def test_what_is_written_is_read_and_changed_only_as_it_was_known(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        assert meta.read(tx, "a") is None
        meta.write(tx, "a", "1")
        meta.write(tx, "a", "2")
        assert not meta.write_first(tx, "a", "3")
        assert meta.write_first(tx, "b", "4")
        assert (meta.read(tx, "a"), meta.read(tx, "b")) == ("2", "4")
        assert not meta.replace(tx, "a", "1", "5")
        assert meta.replace(tx, "a", "2", "5")
        assert not meta.replace(tx, "b", "5", None)
        assert meta.replace(tx, "b", "4", None)
        meta.forget(tx, "a")
        assert (meta.read(tx, "a"), meta.read(tx, "b")) == (None, None)


def test_a_family_holds_only_its_own_keys(engine: Engine) -> None:
    with transaction(engine, write=True) as tx:
        for key in ("kin", "kin.b", "kin/b", "kin/a", "kin0", "kind/c"):
            meta.write(tx, key, key.upper())
        assert list(meta.read_family(tx, "kin")) == [("kin/a", "KIN/A"), ("kin/b", "KIN/B")]
