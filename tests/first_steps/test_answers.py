from relay.first_steps.answers import AccountAnswer


def test_the_file_of_a_secret_stands_where_it_is_used() -> None:
    account = AccountAnswer(name="a", address="a@example.com", owner="u", sending={"host": "h"}, collecting={})
    with_password = account.with_secret_in("/s/a")
    assert (with_password.sending, with_password.collecting) == (
        {"host": "h", "password_file": "/s/a"},
        {"password_file": "/s/a"},
    )
    sends = AccountAnswer(name="a", address="a@example.com", owner="u").with_secret_in("/s/a")
    assert (sends.sending, sends.collecting) == ({"password_file": "/s/a"}, None)
    token = AccountAnswer(name="a", address="a@example.com", owner="u", oauth={"flow": "app"}).with_secret_in("/s/a")
    assert (token.sending, token.oauth) == ({}, {"flow": "app", "client_secret_file": "/s/a"})
