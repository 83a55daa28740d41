"""The hashes by which credentials are compared."""

from relay.model.credential import Identity, keyed_hash


def test_a_hash_compares_under_one_key_and_tells_its_parts_apart() -> None:
    assert keyed_hash(b"k", "a", "b") == keyed_hash(b"k", "a", "b")
    assert len({keyed_hash(b"k", "a", "b"), keyed_hash(b"l", "a", "b"), keyed_hash(b"k", "ab"), keyed_hash(b"k")}) == 4
    assert keyed_hash(b"k", "\udcff") != keyed_hash(b"k", "?")


def test_the_hash_of_an_identity_is_the_same_on_all_nodes() -> None:
    one = Identity(kind="password", login="u", host="h")
    assert one.hashed(b"k") == Identity(kind="password", login="u", host="h").hashed(b"k")
    assert one.hashed(b"k") != Identity(kind="token", login="u", host="h").hashed(b"k")
