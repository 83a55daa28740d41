from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.account import Account, Directory, Pop3Server, Security, User
from relay.rules.address import parse_addr_spec
from relay.rules.distribution import plan_distribution

POP3 = Pop3Server(host="pop.example", port=995, security=Security.TLS, username="u", distribute=True)
ACCOUNT = Account(name="all", address=parse_addr_spec("all@example.com"), owner="carl", pop3=POP3)
OFFICE = Directory(
    users=(
        User(name="anna", address=parse_addr_spec("anna@example.com"), aliases=(parse_addr_spec("info@example.com"),)),
        User(name="bert", address=parse_addr_spec("bert@example.com")),
        User(name="carl", address=parse_addr_spec("carl@example.com")),
    ),
    accounts=(ACCOUNT,),
)


def users(header: str, **pop3: object) -> list[str]:
    account = replace(ACCOUNT, pop3=replace(POP3, **pop3))  # type: ignore[arg-type]
    plan = plan_distribution(directory=OFFICE, account=account, header=header.replace("\n", "\r\n").encode())
    assert plan.steps
    return [share.user for share in plan.shares]


def test_without_distribution_the_owner_gets_everything() -> None:
    assert users("To: anna@example.com\n", distribute=False) == ["carl"]


@pytest.mark.parametrize("name", ["To", "cc", "Bcc", "Resent-To", "Resent-Cc", "RESENT-BCC"])
def test_each_recipients_field_counts(name: str) -> None:
    assert users(f"{name}: Info <INFO@Example.com>\n") == ["anna"]


def test_each_user_gets_it_once() -> None:
    assert users("To: anna@example.com, bert@example.com\nCc: info@example.com\n") == ["anna", "bert"]


def test_nobody_matches_so_the_owner_gets_it() -> None:
    for header in ("To: stranger@example.com\n", "", "Subject: anna@example.com\n", "To: anna\n"):
        assert users(header) == ["carl"]


def test_the_envelope_header_decides_before_the_recipients() -> None:
    header = "Delivered-To: bert@example.com\nDelivered-To: anna@example.com\nTo: carl@example.com\n"
    assert users(header, envelope_header="delivered-to") == ["bert", "anna"]
    assert users(header, envelope_header="Delivered-To", envelope_position=1) == ["bert"]
    assert users(header, envelope_header="Delivered-To", envelope_position=2) == ["anna"]
    assert users(header, envelope_header="Delivered-To", envelope_position=-1) == ["anna"]
    assert users(header, envelope_header="Delivered-To", envelope_position=3) == ["carl"]
    assert users(header, envelope_header="Delivered-To", envelope_position=-3) == ["carl"]
    assert users(header, envelope_header="X-Original-To") == ["carl"]


@given(
    st.lists(st.sampled_from(["anna@example.com", "Bert@Example.com", "x@y.example", "junk", '"a" <info@example.com>']))
)
def test_whoever_stands_there_gets_it_and_nobody_else(to: list[str]) -> None:
    found = users(f"To: {', '.join(to)}\n")
    expected = {"anna" for t in to if "anna" in t or "info" in t} | {"bert" for t in to if "Bert" in t}
    assert set(found) == (expected or {"carl"})
    assert len(found) == len(set(found))


@given(st.binary(max_size=200))
def test_any_header_finds_somebody(header: bytes) -> None:
    plan = plan_distribution(directory=OFFICE, account=ACCOUNT, header=header)
    assert plan.shares
