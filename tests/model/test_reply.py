from relay.model.reply import Reply


def test_a_reply_is_shown_in_one_line() -> None:
    assert str(Reply(code=550, enhanced="5.7.1", text="no\nway")) == "550 5.7.1 no way"
    assert str(Reply(code=0, text="lost")) == "lost"
    assert str(Reply(code=250)) == "250"


def test_whatever_is_neither_2xx_nor_5xx_is_transient() -> None:
    assert [(r.is_positive, r.is_permanent) for r in (Reply(code=code) for code in (250, 354, 421, 0, 550))] == [
        (True, False), (False, False), (False, False), (False, False), (False, True),
    ]  # fmt: skip
