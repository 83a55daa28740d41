from pathlib import Path

from relay.model.destination import to_account, to_inbox
from relay.transports.maildir import MaildirTransport
from relay.transports.smtp import SmtpTransport
from tests.peers.office import open_office
from tests.peers.relay_process import make_account


async def test_the_kind_of_a_destination_decides_who_serves_it_and_its_name_whether_anybody_does(
    tmp_path: Path,
) -> None:
    async with open_office(tmp_path) as office:
        transports = office.delivery._transports
        sales = transports.at(to_account("sales"))
        assert isinstance(sales, SmtpTransport)
        assert transports.at(to_account("sales")) is sales
        office.configure(accounts=[make_account("sales", 9)])
        changed = transports.at(to_account("sales"))
        assert isinstance(changed, SmtpTransport)
        assert changed is not sales
        assert changed.connections is sales.connections
        assert transports.at(to_account("gone")) is None
        assert isinstance(transports.at(to_inbox("sales")), MaildirTransport)
        office.configure(accounts=[make_account("other", 9)])
        assert transports.at(to_account("sales")) is None
