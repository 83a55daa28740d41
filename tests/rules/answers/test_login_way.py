import pytest

from relay.model.oauth import Flow, OAuth, Provider
from relay.rules.answers.login_way import LoginWay, advise_way, find_way, suit
from relay.rules.answers.row import Explanation
from relay.rules.answers.sign_in import explain_sign_in


@pytest.mark.parametrize(
    ("flow", "key", "way"),
    [
        (Flow.DEVICE, None, LoginWay.PERSON),
        (Flow.BROWSER, None, LoginWay.PERSON),
        (Flow.APP, None, LoginWay.SECRET),
        (Flow.APP, "/key.pem", LoginWay.KEY),
    ],
)
def test_the_way_follows_from_the_flow(flow: Flow, key: str | None, way: LoginWay) -> None:
    assert find_way(OAuth(provider=Provider.MICROSOFT, flow=flow, client_id="x", private_key=key)) is way
    assert find_way(None) is LoginWay.PASSWORD


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize(
    ("way", "command"),
    [
        (LoginWay.PASSWORD, "relay account edit a --pop3-password"),
        (LoginWay.PERSON, "relay account authorize a"),
        (LoginWay.SECRET, "relay account edit a --client-secret"),
        (LoginWay.KEY, "relay account edit a --private-key"),
    ],
)
def test_each_way_has_one_command(way: LoginWay, command: str, language: str) -> None:
    said = advise_way(way, language, account="a", collects=True)
    assert command in said
    assert said.count("relay account") == 1


@pytest.mark.parametrize("language", ["de", "en"])
def test_where_nobody_signs_in_nobody_is_to_sign_in_again(language: str) -> None:
    refused = explain_sign_in("invalid_grant", language, account="a")
    told = suit(refused, LoginWay.SECRET, language, account="a")
    assert refused is not None
    assert told is not None
    assert "authorize" not in str(told)
    assert "relay account edit a --client-secret" in told.advice
    assert told.what != refused.what
    assert suit(refused, LoginWay.PERSON, language, account="a") == refused
    assert suit(None, LoginWay.SECRET, language, account="a") is None
    more = Explanation(what="The code says it.", advice='Allow it. Then "relay account authorize a".')
    assert suit(more, LoginWay.KEY, language, account="a") == Explanation(
        what="The code says it.", advice=advise_way(LoginWay.KEY, language, account="a")
    )


def test_who_has_no_password_is_asked_for_none() -> None:
    password = Explanation(what="It wants an app password.", advice='"relay account edit a --password"')
    assert suit(password, LoginWay.PASSWORD, "en", account="a") == password
    told = suit(password, LoginWay.PERSON, "en", account="a")
    assert told is not None
    assert told.advice == advise_way(LoginWay.PERSON, "en", account="a")
