from relay.model.secret import Secret


def test_whether_there_is_one_and_that_none_is_shown() -> None:
    assert not Secret().is_given
    assert Secret(value="").is_given
    assert Secret(file="/f").is_given
    assert Secret(env="X").is_given
    shown = Secret(value="hunter2", command=("echo", "hunter2"))
    assert shown.is_given
    assert "hunter2" not in repr(shown)
