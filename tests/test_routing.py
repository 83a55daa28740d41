"""The account rules, one by one, then against generated mail."""

from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.account import Account, Device, Directory, Security, SmtpServer, User
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.route import KnownBy, Refusal, RoutePlan, Rule
from relay.routing import check_loop, plan_move, plan_route
from relay.rules.address import parse_addr_spec, parse_mailboxes
from relay.rules.headers import apply_edits, find_values, split_fields
from relay.rules.sender import MOST_OCTETS


def at(text: str) -> Address:
    return parse_addr_spec(text)


SMTP = SmtpServer(host="smtp.provider.example", port=587, security=Security.STARTTLS)
ANNA = User(name="anna", address=at("anna@example.com"), aliases=(at("a.schmidt@example.com"),))
BERT = User(name="bert", address=at("bert@example.com"))
CARL = User(name="carl", address=at("carl@nowhere.example"))
SALES = Account(name="sales", address=at("sales@example.com"), owner="anna", display_name="Example Sales", smtp=SMTP)
BERTS = Account(name="berts", address=at("bert@example.com"), owner="bert", smtp=SMTP)
SECOND = Account(name="second", address=at("SALES@Example.COM"), owner="bert", smtp=SMTP)
OLD = Account(name="old", address=at("old@example.com"), owner="bert", excluded=True, smtp=SMTP)
INBOX_ONLY = Account(name="inbox", address=at("inbox@example.com"), owner="carl")
BOSS = Account(name="boss", address=at("boss@example.com"), owner="anna", users=("bert",), restrict=True, smtp=SMTP)
SCANNER = Device(name="Scanner", networks=(ip_network("192.0.2.40/32"),), user="anna")
OFFICE = Directory(
    users=(ANNA, BERT, CARL),
    devices=(SCANNER,),
    accounts=(INBOX_ONLY, SALES, BERTS, SECOND, OLD, BOSS),
    postmaster="anna",
)
SOMEWHERE = ip_address("192.0.2.99")
ENVELOPE = Envelope(reverse_path=at("who@cares.example"), recipients=(at("customer@elsewhere.example"),))


def plan(
    header: str | bytes,
    *,
    login: str | None = None,
    ip: str = "192.0.2.99",
    default_user: str | None = None,
    office: Directory = OFFICE,
    envelope: Envelope = ENVELOPE,
) -> RoutePlan | Refusal:
    block = header if isinstance(header, bytes) else header.replace("\n", "\r\n").encode()
    client = Client(ip=ip_address(ip), login=login, default_user=default_user)
    return plan_route(directory=office, client=client, envelope=envelope, header=block)


def sent(header: str | bytes, **how: object) -> tuple[RoutePlan, bytes]:
    """Plan a mail that must be sent; gives the plan, and the header after its edits."""
    decision = plan(header, **how)  # type: ignore[arg-type]
    assert isinstance(decision, RoutePlan), decision
    block = header if isinstance(header, bytes) else header.replace("\n", "\r\n").encode()
    return decision, apply_edits(block, decision.edits)


def refused(header: str, **how: object) -> Refusal:
    decision = plan(header, **how)  # type: ignore[arg-type]
    assert isinstance(decision, Refusal), decision
    assert decision.reply.code == 550
    assert decision.reply.enhanced == "5.7.1"
    return decision


# Rule 1


def test_rule_1a_takes_the_first_account_with_the_from_address_and_leaves_from_as_it_is() -> None:
    decision, after = sent("From: S <sAles@EXAMPLE.com>\n")
    assert (decision.rule, decision.account, decision.edits) == (Rule.FROM, "sales", ())
    assert after == b"From: S <sAles@EXAMPLE.com>\r\n"
    assert decision.reverse_path == SALES.address


def test_rule_1a_holds_for_whoever_submits() -> None:
    for how in ({"login": "bert"}, {"ip": "192.0.2.40"}, {}):
        assert sent("From: sales@example.com\n", **how)[0].account == "sales"


def test_rule_1b_goes_on_to_rule_3_not_to_rule_2() -> None:
    decision, after = sent("From: Bert <bert@gmail.example>\n", login="bert")
    assert (decision.rule, decision.account) == (Rule.OWNER, "berts")
    assert after == b"From: Bert <bert@example.com>\r\n"


def test_an_account_that_only_receives_is_not_seen() -> None:
    decision, _ = sent("From: inbox@example.com\n", login="anna")
    assert (decision.rule, decision.account) == (Rule.OWNER, "sales")
    refused("From: inbox@example.com\n", login="carl")


def test_an_account_that_only_receives_keeps_its_address_from_nobody() -> None:
    for account in (replace(BOSS, smtp=None), replace(OLD, smtp=None)):
        office = Directory(users=(ANNA, BERT), accounts=(SALES, account))
        assert sent(f"From: sales@example.com, {account.address}\n", office=office)[0].account == "sales"


def test_an_international_domain_is_the_same_in_both_spellings() -> None:
    account = replace(SALES, address=at("info@bücher.example"))
    office = Directory(users=(ANNA,), accounts=(account,))
    assert sent("From: INFO@XN--BCHER-KVA.example\n", office=office)[0].rule is Rule.FROM


# Rule 2


@pytest.mark.parametrize("header", ["", "From:\n", "From: <>\n", "From: Scanner\n", "From: scanner\n", "Subject: x\n"])
def test_rule_2a_writes_the_profile_address_where_there_is_no_from_address(header: str) -> None:
    decision, after = sent(header, login="bert")
    assert (decision.rule, decision.account) == (Rule.PROFILE, "berts")
    (value,) = find_values(after, "From")
    assert [m.address for m in parse_mailboxes(value)] == [BERT.address]


def test_rule_2_keeps_the_name_that_the_mail_had() -> None:
    assert sent("From: Front desk <scanner>\n", login="bert")[1] == b"From: Front desk <bert@example.com>\r\n"


def test_rule_2b_goes_on_to_rule_3() -> None:
    decision, after = sent("Subject: x\n", login="anna")
    assert (decision.rule, decision.account) == (Rule.OWNER, "sales")
    assert after == b"Subject: x\r\nFrom: Example Sales <sales@example.com>\r\n"


# Rules 3 and 4


def test_rule_3_moves_a_known_user_into_reply_to() -> None:
    decision, after = sent("From: A. Schmidt <A.Schmidt@example.com>\n")
    assert (decision.rule, decision.identity, decision.account) == (Rule.OWNER, KnownBy.FROM, "sales")
    assert b"From: Example Sales <sales@example.com>\r\n" in after
    assert b'Reply-To: "A. Schmidt" <A.Schmidt@example.com>\r\n' in after


@pytest.mark.parametrize(
    ("header", "keep"),
    [
        ("From: stranger@example.com\n", True),
        ("From: a.schmidt@example.com\nReply-To: x@y.example\n", True),
        ("From: a.schmidt@example.com\n", False),
    ],
)
def test_rule_3_adds_no_reply_to_otherwise(header: str, keep: bool) -> None:
    office = replace(OFFICE, accounts=(replace(SALES, keep_reply_to=keep),))
    before = len(find_values(header.replace("\n", "\r\n").encode(), "Reply-To"))
    assert len(find_values(sent(header, login="anna", office=office)[1], "Reply-To")) == before


@pytest.mark.parametrize(
    "empty", ["Reply-To:", "Reply-To: <>", "Reply-To: (nobody)", "Reply-To: none:;", "Reply-To : ,"]
)
def test_an_empty_reply_to_counts_as_none(empty: str) -> None:
    _, after = sent(f"{empty}\nFrom: anna@example.com\nSubject: s\nreply-to:\n", login="anna")
    assert after == (b"Reply-To: anna@example.com\r\nFrom: Example Sales <sales@example.com>\r\nSubject: s\r\n")
    one = f"{empty}\nFrom: anna@example.com\nReply-To: x@y.example\n"
    assert find_values(sent(one, login="anna")[1], "Reply-To")[1:] == [b"x@y.example"]


def test_rule_4_says_which_address_and_which_user_found_no_account() -> None:
    refusal = refused("From: x@y.example\n", login="carl")
    assert refusal.reason == "no_account"
    assert "x@y.example" in refusal.reply.text
    assert "carl" in refusal.reply.text
    assert "nobody" in refused("From: x@y.example\n").reply.text
    assert "no From address" in refused("").reply.text


# Excluded, restricted


def test_an_excluded_account_refuses_and_the_choice_does_not_go_on() -> None:
    refusal = refused("From: old@example.com\n", login="bert")
    assert (refusal.reason, refusal.account) == ("excluded", "old")
    assert "old" in refusal.reply.text
    office = replace(OFFICE, accounts=(replace(SALES, excluded=True), SECOND))
    assert refused("From: sales@example.com\n", office=office).account == "sales"
    assert refused("", login="anna", office=office).account == "sales"


@pytest.mark.parametrize(("login", "allowed"), [("anna", True), ("bert", True), ("carl", False), (None, False)])
def test_a_restricted_account_is_for_its_owner_and_users(login: str | None, allowed: bool) -> None:
    decision = plan("From: boss@example.com\n", login=login)
    assert isinstance(decision, RoutePlan) == allowed
    if isinstance(decision, Refusal):
        assert (decision.reason, decision.account) == ("restricted", "boss")


def test_only_a_login_or_a_device_makes_the_user_of_a_restricted_account() -> None:
    office = replace(OFFICE, accounts=(replace(SALES, restrict=True),))
    for header in ("From: sales@example.com\n", "From: anna@example.com\n", "Subject: x\n"):
        assert sent(header, login="anna", office=office)[0].account == "sales"
        assert sent(header, ip="192.0.2.40", office=office)[0].account == "sales"
        refusal = refused(header, default_user="anna", office=office)
        assert (refusal.reason, refusal.account, refusal.user) == ("restricted", "sales", "anna")
    refusal = refused("From: A <a.schmidt@example.com>\n", office=office)
    assert (refusal.reason, refusal.identity) == ("restricted", KnownBy.FROM)


@pytest.mark.parametrize(
    ("header", "how", "said"),
    [
        ("From: x@y.example\n", {"login": "carl"}, ["x@y.example", "carl owns none", "give carl an account"]),
        ("From: x@y.example\n", {}, ["x@y.example", "nobody", "log in", "add a device for 192.0.2.99"]),
        ("From: boss@example.com\n", {"login": "carl"}, ["carl may not use the account boss", "add carl"]),
        ("From: boss@example.com\n", {"default_user": "bert"}, ["bert may not", "log in", "device for 192.0.2.99"]),
        ("From: boss@example.com\n", {}, ["unknown client may not", "log in", "device for 192.0.2.99"]),
        ("From: sales@example.com, boss@example.com\n", {}, ["boss@example.com may not stand in From", "log in"]),
        (f"From: {'x' * 64}@{'y' * 60}.{'y' * 60}.example\n", {}, ["xxx...yyy", "add a device for 192.0.2.99"]),
    ],
)
def test_a_refusal_says_what_to_do(header: str, how: dict[str, str], said: list[str]) -> None:
    text = refused(header, **how).reply.text
    for part in said:
        assert part in text


# What people see


@pytest.mark.parametrize(
    ("header", "login", "account"),
    [
        ("From: sales@example.com, boss@example.com\n", "carl", "boss"),
        ("From: sales@example.com\nFrom: boss@example.com\n", "carl", "boss"),
        ("From: sales@example.com\nSender: boss@example.com\n", "carl", "boss"),
        ("From: sales@example.com\nSender: x@y.example, boss@example.com\n", "carl", "boss"),
        ("From: sales@example.com\nSender: x@y.example\nSender: Boss@Example.com\n", "carl", "boss"),
        ("From: sales@example.com, boss@example.com\nSender: sales@example.com\n", "carl", "boss"),
        ("From: A: sales@example.com, boss@example.com;\n", "carl", "boss"),
        ("From: sales@example.com, old@example.com\n", "bert", "old"),
        ("From: sales@example.com\nSender: old@example.com\n", "bert", "old"),
        ("Resent-From: sales@example.com, boss@example.com\nFrom: x@y.example\n", "carl", "boss"),
        ("Resent-From: sales@example.com\nResent-Sender: boss@example.com\n", "carl", "boss"),
    ],
)
def test_the_address_of_an_account_that_is_not_for_the_user_leaves_in_no_from_or_sender(
    header: str, login: str, account: str
) -> None:
    assert refused(header, login=login).account == account
    if account == "boss":
        assert sent(header, login="anna")[0].account == "sales"


@pytest.mark.parametrize(
    "header",
    [
        "Resent-From: sales@example.com\nFrom: boss@example.com\nSender: old@example.com\n",
        "Resent-From: sales@example.com\nReceived: x\nResent-From: boss@example.com\nFrom: x@y.example\n",
        "From: sales@example.com\nReply-To: boss@example.com\nX-From: old@example.com\n",
        "From: inbox@example.com, boss@example.com\n",
        "From: inbox@example.com\nSender: old@example.com\n",
    ],
)
def test_whoever_wrote_a_resent_mail_then_is_no_matter_and_what_is_rewritten_neither(header: str) -> None:
    sent(header, login="bert" if "inbox" in header else "carl")


def test_a_byte_that_is_no_utf_8_hides_no_address() -> None:
    office = replace(OFFICE, accounts=(SALES, replace(BOSS, address=at("weiß@example.com"))))
    header = "From: sales@example.com\r\nSender: M\xfcller <wei\xc3\x9f@example.com>\r\n".encode("latin-1")
    decision = plan(header, login="carl", office=office)
    assert isinstance(decision, Refusal)
    assert decision.account == "boss"


def test_rule_3_does_not_write_an_address_whose_first_account_is_restricted_to_others() -> None:
    office = replace(OFFICE, accounts=(replace(SALES, restrict=True), SECOND))
    assert refused("From: x@y.example\n", login="bert", office=office).account == "sales"


# KnownBy


def test_the_first_identity_that_matches_wins() -> None:
    header = "From: bert@example.com\n"
    found = [
        plan(header, login="carl", ip="192.0.2.40", default_user="carl"),
        plan(header, ip="192.0.2.40", default_user="carl"),
        plan(header, default_user="carl"),
        plan("From: x@y.example\n", default_user="anna"),
        plan("From: sales@example.com\n"),
    ]
    assert [(d.user, d.identity) for d in found] == [
        ("carl", KnownBy.LOGIN),
        ("anna", KnownBy.DEVICE),
        ("bert", KnownBy.FROM),
        ("anna", KnownBy.LISTENER),
        (None, KnownBy.NOBODY),
    ]


# Several From addresses, Sender, Resent


def test_sender_decides_among_several_from_addresses_else_the_first() -> None:
    several = "From: bert@example.com, sales@example.com\n"
    assert sent(several)[0].account == "berts"
    assert sent(f"{several}Sender: sales@example.com\n")[0].account == "sales"
    assert sent("Sender: sales@example.com\nFrom: bert@example.com\n")[0].account == "berts"
    assert sent(f"{several}Sender: x@y.example\n", login="anna")[0].rule is Rule.OWNER


def test_a_from_or_sender_without_a_domain_does_not_count() -> None:
    assert sent("From: scanner, sales@example.com\nSender: bert@example.com\n")[0].account == "sales"
    assert sent("From: bert@example.com, sales@example.com\nSender: scanner\n")[0].account == "berts"
    header = "From: bert@example.com, sales@example.com\nSender: scanner\nSender: sales@example.com\n"
    assert sent(header)[0].account == "sales"
    _, after = sent("From: scanner\nSender: scanner\n", login="bert")
    assert after == b"From: bert@example.com\r\n"


@pytest.mark.parametrize(
    "header", ["From: bert@example.com\nFrom: sales@example.com\n", "From: A: bert@example.com;, sales@example.com\n"]
)
def test_from_fields_and_groups_are_one_list(header: str) -> None:
    assert sent(header)[0].account == "berts"
    assert sent(f"{header}Sender: sales@example.com\n")[0].account == "sales"


def test_a_foreign_sender_goes_after_a_rewrite_and_our_own_stays() -> None:
    _, after = sent("From: x@y.example\nSender: x@y.example\nSubject: s\n", login="anna")
    assert [field.key for field in split_fields(after)] == ["from", "subject"]
    _, after = sent("From: x@y.example\nSender: sales@example.com\n", login="anna")
    assert find_values(after, "Sender") == [b"sales@example.com"]
    _, after = sent("From: sales@example.com\nSender: x@y.example\n")
    assert find_values(after, "Sender") == [b"x@y.example"]


def test_two_from_fields_become_one() -> None:
    _, after = sent("From: x@y.example\nSubject: s\nfrom: z@y.example\n", login="anna")
    assert after == b"From: Example Sales <sales@example.com>\r\nSubject: s\r\n"


def test_the_newest_resent_block_decides_and_from_stays() -> None:
    header = (
        "Received: x\nResent-From: x@y.example\nResent-To: a@b.example\nResent-Sender: x@y.example\n"
        "Received: y\nResent-From: bert@example.com\nFrom: sales@example.com\nSender: o@p.example\n"
    )
    decision, after = sent(header, login="anna")
    assert (decision.rule, decision.sender_before) == (Rule.OWNER, at("x@y.example"))
    assert find_values(after, "Resent-From") == [b"Example Sales <sales@example.com>", b"bert@example.com"]
    assert find_values(after, "From") == [b"sales@example.com"]
    assert find_values(after, "Sender") == [b"o@p.example"]
    assert find_values(after, "Resent-Sender") == []
    assert find_values(after, "Reply-To") == []


def test_the_resent_fields_of_one_name_count_together() -> None:
    header = "Resent-From: bert@example.com\nResent-Date: x\nResent-From: sales@example.com\nFrom: x@y.example\n"
    assert sent(header)[0].account == "berts"
    assert sent(f"Resent-Sender: sales@example.com\n{header}")[0].account == "sales"
    _, after = sent(header.replace("bert@example", "z@y"), login="anna")
    assert find_values(after, "Resent-From") == [b"Example Sales <sales@example.com>"]


def test_resent_bcc_belongs_to_the_block() -> None:
    header = "Resent-To: a@b.example\nResent-Bcc: c@d.example\nResent-From: sales@example.com\nFrom: x@y.example\n"
    assert sent(header, login="bert")[0].account == "sales"
    assert refused(header.replace("sales", "old"), login="bert").account == "old"
    header = "Resent-From: x@y.example\nResent-Bcc: c@d.example\nResent-Sender: x@y.example\nFrom: x@y.example\n"
    assert find_values(sent(header, login="anna")[1], "Resent-Sender") == []


@pytest.mark.parametrize(
    "block", ["Resent-Bcc: a@b.example\n", "Resent-From:\n", "Resent-From: me\n", "Resent-To: x\n"]
)
def test_a_resent_block_without_an_address_is_a_mail_without_one(block: str) -> None:
    header = f"{block}Resent-Sender: sales@example.com\nFrom: sales@example.com\nReply-To:\n"
    decision, after = sent(header, login="bert")
    assert (decision.rule, decision.account, decision.sender_before) == (Rule.PROFILE, "berts", None)
    (value,) = find_values(after, "Resent-From")
    assert value == b"bert@example.com"
    assert find_values(after, "Resent-Sender") == []
    assert find_values(after, "From") == [b"sales@example.com"]
    assert find_values(after, "Reply-To") == [b""]


def test_a_resent_from_that_is_missing_is_written_into_its_block() -> None:
    header = "Received: x\nResent-Sender: me\nResent-To: a@b.example\nReceived: y\nFrom: x@y.example\n"
    _, after = sent(header, login="bert")
    assert after == header.replace("Resent-Sender: me", "Resent-From: bert@example.com").replace("\n", "\r\n").encode()


def test_reply_to_is_never_added_to_a_resent_mail() -> None:
    for there in ("", "Reply-To:\n"):
        header = f"Resent-From: anna@example.com\nFrom: x@y.example\n{there}"
        decision, after = sent(header)
        assert (decision.rule, decision.account) == (Rule.OWNER, "sales")
        assert b"anna" not in after


def test_a_signature_over_what_is_rewritten_in_a_resent_block_goes() -> None:
    header = "DKIM-Signature: h=from:resent-from\nDKIM-Signature: h=from\nResent-From: x@y.example\nFrom: x@y.example\n"
    assert find_values(sent(header, login="anna")[1], "DKIM-Signature") == [b"h=from"]


# Moved by an administrator


def moved(header: str, account: Account, user: str | None) -> Refusal | bytes:
    block = header.replace("\n", "\r\n").encode()
    edits = plan_move(directory=OFFICE, account=account, user=user, header=block)
    return edits if isinstance(edits, Refusal) else apply_edits(block, edits)


def test_a_mail_is_moved_to_another_account_as_by_rule_3() -> None:
    header = "From: anna@example.com\nSender: anna@example.com\n"
    assert moved(header, BERTS, None) == b"From: bert@example.com\r\nReply-To: anna@example.com\r\n"
    assert moved("From: Bert@example.com\nSender: x@y.example\n", BERTS, None) == (
        b"From: Bert@example.com\r\nSender: x@y.example\r\n"
    )


@pytest.mark.parametrize(
    ("header", "account", "user", "reason"),
    [
        ("From: x@y.example\n", OLD, "anna", "excluded"),
        ("From: x@y.example\n", BOSS, "carl", "restricted"),
        ("From: x@y.example\n", BOSS, None, "restricted"),
        ("From: x@y.example\n", BOSS, "bert", None),
        ("From: boss@example.com\n", BERTS, "carl", None),
        ("From: bert@example.com\nSender: boss@example.com\n", BERTS, "carl", "restricted"),
        ("From: bert@example.com, old@example.com\n", BERTS, "carl", "excluded"),
    ],
)
def test_a_move_shows_nothing_that_its_user_may_not_show(
    header: str, account: Account, user: str | None, reason: str | None
) -> None:
    after = moved(header, account, user)
    assert (after.reason if isinstance(after, Refusal) else None) == reason


# The envelope, signatures, loops


def test_the_null_sender_stays_null() -> None:
    decision, _ = sent("From: sales@example.com\n", envelope=replace(ENVELOPE, reverse_path=None))
    assert decision.reverse_path is None


SIGNATURE = "DKIM-Signature: v=1; h=Subject:\n {}:Date; b=x\n"


def test_a_signature_over_a_from_that_is_rewritten_goes_and_others_stay() -> None:
    header = SIGNATURE.format("FROM") + SIGNATURE.format("To") + "From: {}\n"
    assert len(find_values(sent(header.format("sales@example.com"))[1], "DKIM-Signature")) == 2
    (left,) = find_values(sent(header.format("x@y.example"), login="anna")[1], "DKIM-Signature")
    assert b"To" in left


@pytest.mark.parametrize("name", ["From", "Sender", "Reply-To", "Resent-From", "resent-sender", "FROM "])
def test_a_field_that_is_too_long_to_be_read_decides_nothing(name: str) -> None:
    value = "sales@example.com, " + "x@y.example, " * 6000
    decision = plan(f"From: sales@example.com\n{name}: {value}\n", login="anna")
    assert isinstance(decision, Refusal)
    assert (decision.reply.code, decision.reply.enhanced, decision.reason) == (554, "5.6.0", "large_field")
    assert name.strip() in decision.reply.text
    sent(f"From: sales@example.com\nTo: {value}\n", login="anna")


def test_a_field_that_may_decide_is_read_to_its_end() -> None:
    value = "x@y.example, " * (MOST_OCTETS // 13 - 6) + "boss@example.com"
    assert MOST_OCTETS - 120 < len(value) < MOST_OCTETS
    assert refused(f"From: sales@example.com\nSender: {value}\n").account == "boss"


def test_a_mail_in_circles_is_refused() -> None:
    assert check_loop(b"Received: x\r\n" * 100, "relay.example") is None
    refusal = check_loop(b"Received: x\r\n" * 101, "relay.example")
    assert refusal is not None
    assert (refusal.reply.code, refusal.reply.enhanced) == (554, "5.4.6")
    assert check_loop(b"Relay-Loop: relay.example\r\n" * 4, "relay.example") is not None


# Generated mail


@dataclass(frozen=True)
class _Mail:
    """A mail as the rules see it, beside its header."""

    froms: tuple[Address, ...]
    sender: Address | None
    header: bytes


POOL = ["sales@example.com", "bert@example.com", "old@example.com", "boss@example.com", "inbox@example.com",
        "a.schmidt@example.com", "x@y.example", "carl@nowhere.example", "Sales@EXAMPLE.com"]  # fmt: skip
SPELLINGS = [
    "{}",
    "<{}>",
    "Some Name <{}>",
    '"Name, Some" <{}>',
    "=?utf-8?q?J=C3=BCrgen,_hi?= <{}>",
    "{} (a (nested\r\n one) comment)",
    "\r\n\tfolded\r\n <{}>",
    "Group: {};",
    '"x@z.example" <{}>',
    "(x@z.example) {}",
]


@st.composite
def mails(draw: st.DrawFn) -> _Mail:
    froms = tuple(at(one) for one in draw(st.lists(st.sampled_from(POOL), max_size=3)))
    sender = draw(st.none() | st.sampled_from(POOL).map(at))
    resent = draw(st.booleans())
    junk = st.sampled_from(
        ["X-A: <sales@example.com>", "Received: from x", "Subject: From: old@example.com", "X\xe4: \xff"]
    )
    values = [draw(st.sampled_from(SPELLINGS)).format(one) for one in froms]
    name = draw(st.sampled_from(["From", "FROM", "from "]))
    prefix = "Resent-" if resent else ""
    block = [f"{prefix}{name}: {', '.join(values)}"] if values else []
    if sender is not None:
        block.append(f"{prefix}Sender: {sender}")
    if resent:
        block.insert(
            draw(st.integers(0, len(block))), draw(st.sampled_from(["Resent-Bcc: a@b.example", "Resent-To: x"]))
        )
    lines = [*draw(st.lists(junk, max_size=3)), *block, *draw(st.lists(junk, max_size=3))]
    if resent:
        lines.append("From: old@example.com")
    return _Mail(froms, sender, "".join(f"{one}\r\n" for one in lines).encode("latin-1"))


def _may_use(account: Account, user: User | None, *, proved: bool) -> bool:
    allowed = proved and user is not None and user.name in ("anna", "bert")
    return not account.excluded and (not account.restrict or allowed)


def _expect(mail: _Mail, login: str | None, ip: str) -> tuple[Rule | None, str | None]:
    """Say again, as plainly as it can be said, which rule chooses which account; None is a refusal."""
    address = mail.froms[0] if mail.froms else None
    if len(mail.froms) > 1 and mail.sender is not None:
        address = mail.sender
    owner = next((u for u in OFFICE.users if address and address.key in [a.key for a in u.addresses]), None)
    user = OFFICE.user(login) or (ANNA if ip == "192.0.2.40" else owner)
    sending = [account for account in OFFICE.accounts if account.smtp]

    def first(wanted: Address) -> Account | None:
        return next((a for a in sending if a.address.key == wanted.key), None)

    rule, account = Rule.FROM, None
    if address is not None:
        account = first(address)
    elif user is not None:
        rule, account = Rule.PROFILE, first(user.address)
    if account is None and user is not None:
        rule, account = Rule.OWNER, next((a for a in sending if a.owner == user.name), None)
    if account is None:
        return None, None
    proved = login is not None or ip == "192.0.2.40"
    if not _may_use(account, user, proved=proved):
        return None, account.name
    seen = (*mail.froms, *([mail.sender] if mail.sender else [])) if rule is Rule.FROM else (account.address,)
    for one in filter(None, map(first, seen)):
        if not _may_use(one, user, proved=proved):
            return None, one.name
    return rule, account.name


@given(mail=mails(), login=st.sampled_from([None, "anna", "bert", "carl"]), ip=st.sampled_from(["192.0.2.40", "::1"]))
def test_generated_mail_goes_the_way_of_the_rules(mail: _Mail, login: str | None, ip: str) -> None:
    decision = plan(mail.header, login=login, ip=ip)
    rule, account = _expect(mail, login, ip)
    if rule is None:
        assert isinstance(decision, Refusal), decision
        assert decision.account == account
        return
    assert isinstance(decision, RoutePlan), decision
    assert (decision.rule, decision.account) == (rule, account)
    after = apply_edits(mail.header, decision.edits)
    if rule is Rule.FROM:
        assert after == mail.header
    _check_what_the_provider_sees(mail, decision, after)


def _check_what_the_provider_sees(mail: _Mail, decision: RoutePlan, after: bytes) -> None:
    resent = b"Resent-From" in after
    name = "Resent-From" if resent else "From"
    if decision.rule is not Rule.FROM:
        (value,) = find_values(after, name)
        (mailbox,) = parse_mailboxes(value)
        assert mailbox.address == decision.sender_after
        for value in find_values(after, "Resent-Sender" if resent else "Sender"):
            assert [m.address and m.address.key for m in parse_mailboxes(value)] == [decision.sender_after.key]
    edited = {"from", "sender", "reply-to", "resent-from", "resent-sender", "dkim-signature"}
    untouched = [field.raw for field in split_fields(mail.header) if field.key not in edited]
    assert [field.raw for field in split_fields(after) if field.key not in edited] == untouched


@given(header=st.binary(max_size=400), login=st.sampled_from([None, "anna"]))
def test_any_bytes_get_a_decision_with_its_reasons(header: bytes, login: str | None) -> None:
    block = b"From: " + header.replace(b"\r", b"").replace(b"\n", b"\r\n ") + b"\r\n"
    decision = plan(block, login=login)
    assert decision.steps
    if isinstance(decision, RoutePlan):
        assert decision.account in ("sales", "berts", "boss")
        after = apply_edits(block, decision.edits)
        assert b"".join(field.raw for field in split_fields(after)) == after
    else:
        assert decision.reply.text.isprintable()


def test_a_header_of_thousands_of_fields_is_refused_before_it_is_looked_at() -> None:
    header = b"From: sales@example.com\r\n" + b"A:\r\n" * 2_000
    refusal = check_loop(header, "relay.example")
    assert refusal is not None
    assert (refusal.reply.code, refusal.reply.enhanced) == (554, "5.6.0")
    assert check_loop(header[:-4], "relay.example") is None
    folded = b"A: b\r\n" + b" c\r\n\td\r\n" * 5_000
    assert check_loop(folded, "relay.example") is None


@pytest.mark.parametrize(
    "value",
    [
        "sales@example.com, boss@example.com <>",
        "<sales@example.com> <boss@example.com>",
        "boss@example.com>, sales@example.com",
        "sales@example.com, \\boss@example.com",
        "boss@example.com: sales@example.com;",
        "<@x,boss@example.com,@y:sales@example.com>",
        "sales@example.com (x <boss@example.com>",
        "sales@example.com, =?utf-8?q?boss?=@example.com",
        "sales@example.com, bo\x00ss@example.com",
        "sales@example.com, 'boss@example.com'",
        "sales@example.com, boss@\u00a0example.com",
        "sales@example.com, boss@exam\r\n ple.com",
        'sales@example.com, "x\\" <boss@example.com> \\"',
        '"boss@example.com", sales@example.com',
        'sales@example.com, <"boss@example.com">',
        "=?csISOLatin1?q?boss=40example.com?=, sales@example.com",
        "=?utf-8?q?boss=40example.com?= x@, sales@example.com",
        "sales@example.com, boss@exam ple.com",
        "sales@example.com, 'boss@exa\uff4dple.com'",
    ],
)
def test_what_another_program_may_read_as_the_address_of_a_restricted_account_is_refused(value: str) -> None:
    header = f"From: sales@example.com\r\nSender: {value}\r\n".encode()
    for mail in (header, f"From: {value}\r\nSender: sales@example.com\r\n".encode()):
        for how in ({}, {"login": "carl"}):
            decision = plan(mail, **how)  # type: ignore[arg-type]
            assert isinstance(decision, Refusal), decision
            assert (decision.reason, decision.account, decision.reply.code) == ("restricted", "boss", 550)
            assert "boss@example.com may not stand in From or Sender" in decision.reply.text
    resent = b"Resent-From: sales@example.com\r\n" + header.partition(b"\r\n")[2].replace(b"Sender", b"Resent-Sender")
    assert isinstance(plan(resent), Refusal)
    assert isinstance(plan(b"Resent-From: sales@example.com\r\n" + header), RoutePlan)
    assert isinstance(plan(header, login="bert"), RoutePlan)
    old = plan(header.replace(b"boss", b"old").replace(b"bo\x00ss", b"\x00old"), login="bert")
    assert isinstance(old, Refusal)
    assert (old.reason, old.account) == ("excluded", "old")


@pytest.mark.parametrize("block", ["", "Resent-"])
@pytest.mark.parametrize(
    "value",
    [
        "<sales@example.com> <boss@example.com>",
        "boss@example.com: sales@example.com;",
        "boss@example.com <sales@example.com>",
        "<@x,boss@example.com,@y:sales@example.com>",
    ],
)
def test_after_a_rewrite_no_sender_stays_that_another_program_may_read_in_another_way(value: str, block: str) -> None:
    decision, after = sent(f"{block}From: a.schmidt@example.com\n{block}Sender: {value}\n")
    assert (decision.rule, decision.account) == (Rule.OWNER, "sales")
    assert find_values(after, f"{block}Sender") == []
    assert b"boss" not in after
    _, after = sent(f"{block}From: scanner\n{block}Sender: {value}\n", login="bert")
    assert b"boss" not in after


def test_an_address_that_nobody_can_decode_is_refused_where_it_may_be_that_of_a_restricted_account() -> None:
    header = "From: sales@example.com\nSender: =?x-secret?q?boss?=@example.com\n"
    decision = refused(header)
    assert (decision.reason, decision.reply.text) == (
        "restricted",
        "An encoded word in From or Sender that is no name can't be read; encode names alone, and as UTF-8",
    )
    assert sent(header, office=Directory(users=(ANNA,), accounts=(SALES,)))[0].account == "sales"
    refused("From: =?utf-7?q?boss+AEA-example.com?=, sales@example.com\n")
    sent("From: =?x-secret?q?boss?= <sales@example.com>\n")


def test_what_stands_in_quotes_or_in_an_encoded_name_is_no_address() -> None:
    for value in (
        '"boss@example.com" <sales@example.com>',
        "sales@example.com (boss@example.com)",
        "=?utf-8?q?boss=40example.com?= <sales@example.com>",
    ):
        assert sent(f"From: {value}\n")[0].rule is Rule.FROM
