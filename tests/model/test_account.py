import dataclasses
from ipaddress import ip_address, ip_network

from relay.model.account import Account, Device, Directory, Pop3Server, Security, SmtpServer, User
from relay.model.address import Address
from relay.model.secret import Secret


def at(text: str) -> Address:
    local, _, domain = text.partition("@")
    return Address(local=local, domain=domain)


SMTP = SmtpServer(host="h.example", port=25, security=Security.NONE)
POP3 = Pop3Server(host="h.example", port=110, security=Security.NONE, username="u")


def account(name: str, address: str, **more: object) -> Account:
    return Account(name=name, address=at(address), owner="anna", **{"smtp": SMTP, **more})  # type: ignore[arg-type]


DIRECTORY = Directory(
    users=(
        User(name="anna", address=at("anna@x.example"), aliases=(at("a@x.example"),)),
        User(name="bert", address=at("A@X.example")),
    ),
    devices=(
        Device(name="one", networks=(ip_network("10.0.0.0/24"),), user="anna"),
        Device(name="two", networks=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")), user="bert"),
    ),
    accounts=(
        account("only receives", "s@x.example", smtp=None),
        account("first", "s@x.example"),
        account("second", "S@x.example"),
    ),
)


def test_the_first_match_wins_everywhere() -> None:
    assert getattr(DIRECTORY.user_of(at("a@x.example")), "name", None) == "anna"
    assert getattr(DIRECTORY.sender(at("S@X.EXAMPLE")), "name", None) == "first"
    assert getattr(DIRECTORY.first_owned("anna"), "name", None) == "first"
    assert getattr(DIRECTORY.device_at(ip_address("10.0.0.1")), "name", None) == "one"
    assert getattr(DIRECTORY.device_at(ip_address("fd00::1")), "name", None) == "two"


def test_what_is_not_there_is_none() -> None:
    assert DIRECTORY.user(None) is None
    assert DIRECTORY.user("carl") is None
    assert DIRECTORY.device_at(ip_address("192.0.2.1")) is None
    assert DIRECTORY.sender(at("x@y.example")) is None
    assert DIRECTORY.first_owned("bert") is None


def test_an_excluded_or_silent_account_is_not_collected() -> None:
    assert account("x", "s@x.example", pop3=POP3).is_collected
    for more in ({"excluded": True}, {"receive": False}, {"pop3": None}):
        assert not account("x", "s@x.example", **{"pop3": POP3, **more}).is_collected


def test_no_secret_is_in_a_repr() -> None:
    shown = repr(Secret(value="hunter2", command=("get", "hunter2"))) + repr(
        User(name="a", address=at("a@b.example"), password_hash="hunter2")
    )
    assert "hunter2" not in shown


def test_what_an_account_says_of_its_way_out() -> None:
    server = dataclasses.replace(SMTP, messages_per_minute=30, recipients_per_message=50, recipients_per_day=20)
    limited = account("limited", "s@x.example", smtp=server)
    assert (limited.sends, limited.outgoing_server) == (True, "h.example:25")
    assert (limited.recipients_per_message, limited.recipients_per_day) == (20, 20)
    assert (limited.has_way_out, limited.messages_per_minute) == (True, 30)
    assert account("usual", "s@x.example").recipients_per_message == 50
    excluded = account("excluded", "s@x.example", excluded=True)
    assert (excluded.sends, excluded.has_way_out) == (False, True)
    receives = account("receives", "s@x.example", smtp=None)
    assert (receives.sends, receives.outgoing_server) == (False, "")
    assert not receives.has_way_out
    assert (receives.recipients_per_day, receives.messages_per_minute) == (None, None)
