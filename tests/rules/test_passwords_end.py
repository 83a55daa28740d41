import pytest

from relay.model.account import Account, Pop3Server, Security, SmtpServer
from relay.model.address import Address
from relay.model.oauth import OAuth
from relay.rules.passwords_end import ENDS, ENDS_ON, URGENT, has_ended, is_microsoft, is_urgent, uses_ending_password


def smtp(host: str, username: str | None = "anna@example.com") -> SmtpServer:
    return SmtpServer(host=host, port=587, security=Security.STARTTLS, username=username)


@pytest.mark.parametrize(
    ("host", "is_so"),
    [
        ("smtp.office365.com", True),
        ("smtp-legacy.office365.com", True),
        ("SMTP-MAIL.Outlook.com.", True),
        ("outlook.office365.com", True),
        ("smtp.office365.com.example", False),
        ("notoffice365.com", False),
        ("smtp.ionos.de", False),
    ],
)
def test_hosts_of_microsoft_are_known_by_their_end(host: str, is_so: bool) -> None:
    assert is_microsoft(smtp(host)) is is_so


def test_who_logs_in_by_password_is_named_and_nobody_else() -> None:
    def account(server: SmtpServer, **more: object) -> Account:
        address = Address(local="anna", domain="example.com")
        return Account(name="sales", address=address, owner="anna", smtp=server, **more)  # type: ignore[arg-type]

    microsoft = smtp("smtp.office365.com")
    assert uses_ending_password(account(microsoft))
    assert not uses_ending_password(account(microsoft, excluded=True))
    assert not uses_ending_password(account(microsoft, oauth=OAuth.__new__(OAuth)))
    assert not uses_ending_password(account(smtp("smtp.office365.com", None)))
    assert not uses_ending_password(account(smtp("smtp.ionos.de")))
    box = Pop3Server(host="outlook.office365.com", port=995, security=Security.TLS, username="anna@example.com")
    assert uses_ending_password(account(smtp("smtp.ionos.de"), pop3=box))


def test_it_is_urgent_for_the_month_before_the_end() -> None:
    assert ENDS_ON == "2026-12-31"
    assert not is_urgent(ENDS - URGENT - 1)
    assert is_urgent(ENDS - URGENT)
    assert is_urgent(ENDS)
    assert not is_urgent(ENDS + 86_400_000)
    assert (has_ended(ENDS), has_ended(ENDS + 86_400_000)) == (False, True)
