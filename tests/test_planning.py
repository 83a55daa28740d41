from ipaddress import ip_address

from relay.model.account import Account, ArchivePolicy, Directory, Security, SmtpServer
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.route import Refusal
from relay.planning import MailPlan, plan_mail

SALES = Address(local="sales", domain="example.com")
CUSTOMER = Address(local="customer", domain="example.net")
CENTRAL = Address(local="central", domain="example.com")
SMTP = SmtpServer(host="h", port=25, security=Security.NONE)
ACCOUNT = Account(name="sales", address=SALES, owner="anna", smtp=SMTP)


def plan_for(header: bytes, *, reverse_path: Address | None = SALES) -> MailPlan | Refusal:
    return plan_mail(
        directory=Directory(accounts=(ACCOUNT,)),
        archive=ArchivePolicy(bcc=(CENTRAL,)),
        hostname="relay.example",
        client=Client(ip=ip_address("192.0.2.1")),
        envelope=Envelope(reverse_path=reverse_path, recipients=(CUSTOMER,)),
        header=header,
    )


def test_a_mail_gets_its_account_and_its_blind_copy() -> None:
    planned = plan_for(b"From: sales@example.com\r\n")
    assert isinstance(planned, MailPlan)
    assert (planned.route.account, planned.account) == ("sales", ACCOUNT)
    assert [str(address) for address in planned.archive.recipients] == ["central@example.com"]
    planned = plan_for(b"From: sales@example.com\r\n", reverse_path=None)
    assert isinstance(planned, MailPlan)
    assert planned.archive.recipients == ()


def test_a_mail_in_circles_is_refused_before_the_rules_are_asked() -> None:
    refusal = plan_for(b"Relay-Loop: relay.example\r\n" * 4)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.reply.code) == ("loop", 554)
    refusal = plan_for(b"Subject: x\r\n")
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.reply.code) == ("no_account", 550)
