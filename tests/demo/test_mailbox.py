import asyncio
import poplib

from relay.demo.mailbox import Mailbox
from relay.demo.provider import PASSWORD

MAILS = [b"Subject: one\r\n\r\n.dot\r\n", b"Subject: two\r\n\r\nx\r\n"]


async def test_python_reads_it_and_deletion_takes_effect_at_quit() -> None:
    mailbox = Mailbox()
    mailbox.mails = list(MAILS)
    await mailbox.start()
    await asyncio.to_thread(_read, mailbox.port)
    assert mailbox.mails == MAILS[1:]
    await mailbox.close()


def _read(port: int) -> None:
    session = poplib.POP3("127.0.0.1", port, timeout=10)
    session.user("anna")
    session.pass_(PASSWORD)
    assert session.retr(1)[1] == [b"Subject: one", b"", b".dot"]
    assert len(session.uidl()[1]) == 2
    session.dele(1)
    session.quit()


async def test_nobody_gets_in_without_the_password() -> None:
    mailbox = Mailbox()
    mailbox.mails = list(MAILS)
    await mailbox.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", mailbox.port)
    writer.write(b"RETR 1\r\nUSER x\r\nPASS wrong\r\nLIST\r\nQUIT\r\n")
    said = (await reader.read()).split(b"\r\n")
    assert [line[:3] for line in said] == [b"+OK", b"-ER", b"+OK", b"-ER", b"-ER", b"+OK", b""]
    writer.close()
    await mailbox.close()
