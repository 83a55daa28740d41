from relay.accounts.credentials import Credentials
from relay.model.account import Account, Pop3Server, Security
from relay.model.address import Address
from relay.sources.pop3 import Pop3Source
from relay.sources.registry import open_source


async def _key() -> bytes:
    return b"key"


def test_the_settings_of_a_mailbox_decide_about_its_source() -> None:
    server = Pop3Server(host="pop.example", port=995, security=Security.TLS, username="u")
    account = Account(name="a", address=Address(local="a", domain="example.com"), owner="anna", pop3=server)
    assert isinstance(open_source(account, Credentials(_key)), Pop3Source)
