from dataclasses import replace

from relay.admin.refusals import Refusals
from relay.model.account import Account, Pop3Server, Security, SmtpServer
from relay.model.address import Address
from relay.model.secret import Secret

SMTP = SmtpServer(host="a.example", port=465, security=Security.TLS, username="u", password=Secret(file="/gone"))
POP3 = Pop3Server(host="b.example", port=995, security=Security.TLS, username="u", password=Secret(file="/gone"))
SALES = Account(name="sales", address=Address(local="s", domain="a.example"), owner="anna", smtp=SMTP, pop3=POP3)


def test_a_password_that_cant_be_read_is_the_same_only_for_its_account_name_and_source() -> None:
    refusals = Refusals(whole_provider=True)
    assert not refusals.is_unread(SALES, POP3)
    refusals.note_unread(SALES, SMTP)
    assert refusals.is_unread(SALES, POP3)
    assert not refusals.is_unread(replace(SALES, name="other"), POP3)
    assert not refusals.is_unread(SALES, replace(POP3, username="v"))
    assert not refusals.is_unread(SALES, replace(POP3, password=Secret(file="/there")))
