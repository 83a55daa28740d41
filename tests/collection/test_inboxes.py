from relay.collection.inboxes import make_name


def test_a_name_depends_on_account_id_and_user() -> None:
    names = {make_name("a", "k", "u"), make_name("b", "k", "u"), make_name("a", "l", "u"), make_name("a", "k", "v")}
    assert len(names) == 4
    assert make_name("a", "k\udc80", "u") == make_name("a", "k\udc80", "u")
