from ipaddress import ip_address

import pytest

from relay.intake.commands import offers_login, read_recipient, read_sender, refuse_without_login
from relay.intake.path import BadCommandError
from relay.model.envelope import DsnOptions
from relay.rules.address import parse_addr_spec
from relay.settings import Listener

LAN, HERE = ip_address("192.0.2.1"), ip_address("127.0.0.1")


@pytest.mark.parametrize(
    ("ip", "over_tls", "plaintext", "has_passwords", "offered"),
    [
        (LAN, False, False, True, False),
        (LAN, True, False, True, True),
        (LAN, False, True, True, True),
        (HERE, False, False, True, True),
        (HERE, True, True, False, False),
    ],
)
def test_a_login_is_offered_where_nobody_can_listen(
    ip: object, over_tls: bool, plaintext: bool, has_passwords: bool, offered: bool
) -> None:
    listener = Listener(plaintext_auth=plaintext)
    assert offers_login(listener, ip, over_tls=over_tls, has_passwords=has_passwords) is offered  # type: ignore[arg-type]


def test_only_a_login_gets_by_where_everybody_must_log_in() -> None:
    assert refuse_without_login(Listener(), None, may_log_in=False) is None
    asking = Listener(require_auth=True)
    assert refuse_without_login(asking, "anna", may_log_in=True) is None
    assert str(refuse_without_login(asking, None, may_log_in=True)) == "530 5.7.0 Log in first"
    assert str(refuse_without_login(asking, None, may_log_in=False)) == "530 5.7.0 TLS first"


def test_an_international_address_needs_smtputf8() -> None:
    with pytest.raises(BadCommandError) as refused:
        read_recipient("TO:<jürgen@x.example>", esmtp=True, smtputf8=False, postmaster=None)
    assert str(refused.value.reply).startswith("553 5.6.7 ")
    recipient, wish = read_recipient("TO:<jürgen@x.example> NOTIFY=NEVER", esmtp=True, smtputf8=True, postmaster=None)
    assert (str(recipient), wish) == ("jürgen@x.example", DsnOptions(notify="NEVER"))
    with pytest.raises(BadCommandError):
        read_sender("FROM:<jürgen@x.example>", esmtp=True, may_log_in=False)
    sender, asked = read_sender("FROM:<jürgen@x.example> SMTPUTF8", esmtp=True, may_log_in=False)
    assert (str(sender), asked.smtputf8) == ("jürgen@x.example", True)


def test_the_null_path_and_the_postmaster() -> None:
    assert read_sender("FROM:<>", esmtp=False, may_log_in=False)[0] is None
    anna = parse_addr_spec("anna@example.com")
    assert read_recipient("TO:<PostMaster>", esmtp=False, smtputf8=False, postmaster=anna)[0] is anna
