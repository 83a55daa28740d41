import poplib

import pytest

from tests.peers.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.peer


def test_it_gives_what_it_was_filled_with() -> None:
    with Dovecot() as dovecot:
        dovecot.fill("anna", [b"Subject: one\n\nhello\n", b"Subject: two\n\n.\n"])
        for secure in (False, True):
            session: poplib.POP3 = (
                poplib.POP3_SSL("127.0.0.1", dovecot.pop3s_port, context=dovecot.client_context)
                if secure
                else poplib.POP3("127.0.0.1", dovecot.pop3_port)
            )
            session.user("anna")
            session.pass_(PASSWORD)
            assert session.stat()[0] == 2
            session.quit()
        assert dovecot.read_over_imap("anna") == [b"Subject: one\r\n\r\nhello\r\n", b"Subject: two\r\n\r\n.\r\n"]
