from relay.delivery.connection_limit import NARROW_SECONDS, ConnectionLimit


def test_as_many_as_are_configured_or_as_few_as_the_provider_allows_for_a_while() -> None:
    limit = ConnectionLimit(configured=5)
    assert limit.most == 5
    limit.narrow(2, 100.0)
    assert limit.most == 2
    limit.expire(100.0 + NARROW_SECONDS - 1)
    assert limit.most == 2
    limit.expire(100.0 + NARROW_SECONDS)
    assert (limit.most, limit.allowed) == (5, None)


def test_one_is_always_allowed_and_never_more_than_are_configured() -> None:
    limit = ConnectionLimit(configured=3)
    limit.narrow(0, 0.0)
    assert limit.most == 1
    limit.narrow(7, 0.0)
    assert limit.most == 3
    limit.narrow(1, 0.0)
    limit.lift()
    assert limit.most == 3
