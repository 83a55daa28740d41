from ipaddress import ip_address

from relay.model.account import Account, Directory, Security, SmtpServer
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.policy import ArchivePolicy
from relay.model.route import Refusal
from relay.planning import MailPlan, plan_mail
from relay.rules.address import parse_addr_spec

SMTP = SmtpServer(host="h", port=25, security=Security.NONE)
SALES = Account(name="sales", address=parse_addr_spec("sales@example.com"), owner="anna", smtp=SMTP)


def plan(header: bytes, *, reverse_path: Address | None = SALES.address) -> MailPlan | Refusal:
    return plan_mail(
        directory=Directory(accounts=(SALES,)),
        archive=ArchivePolicy(bcc=(parse_addr_spec("central@example.com"),)),
        hostname="relay.example",
        client=Client(ip=ip_address("192.0.2.1")),
        envelope=Envelope(reverse_path=reverse_path, recipients=(parse_addr_spec("a@b.example"),)),
        header=header,
    )


def test_a_mail_gets_its_account_and_its_blind_copy() -> None:
    planned = plan(b"From: sales@example.com\r\n")
    assert isinstance(planned, MailPlan)
    assert (planned.route.account, planned.account) == ("sales", SALES)
    assert [str(address) for address in planned.archive.recipients] == ["central@example.com"]
    planned = plan(b"From: sales@example.com\r\n", reverse_path=None)
    assert isinstance(planned, MailPlan)
    assert planned.archive.recipients == ()


def test_a_mail_in_circles_is_refused_before_the_rules_are_asked() -> None:
    refusal = plan(b"Relay-Loop: relay.example\r\n" * 4)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.reply.code) == ("loop", 554)
    refusal = plan(b"Subject: x\r\n")
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.reply.code) == ("no_account", 550)
