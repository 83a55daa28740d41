from relay.upstream.witness import only


def test_of_one_stage_alone_is_told() -> None:
    told: list[tuple[str, str]] = []
    passed = only("login", lambda stage, said, _: told.append((stage, said)))
    for stage in ("connect", "login"):
        passed(stage, "hello", None)
    assert told == [("login", "hello")]
