import asyncio
import poplib

import aiosmtplib
import pytest

from relay.demo.provider import PASSWORD, Mailbox, Provider

MAILS = [b"Subject: one\r\n\r\n.dot\r\n", b"Subject: two\r\n\r\nx\r\n"]


async def test_it_takes_mail_of_the_login_alone() -> None:
    provider = Provider()
    await provider.start()
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=provider.port, start_tls=False) as client:
        await client.login("sales@example.com", PASSWORD)
        await client.sendmail("sales@example.com", ["a@b.example"], "Subject: x\r\n\r\nhello\r\n")
        with pytest.raises(aiosmtplib.SMTPResponseException):
            await client.sendmail("other@example.com", ["a@b.example"], "x")
    assert await provider.wait_for(1, 5)
    assert not await provider.wait_for(2, 0.01)
    (mail,) = provider.mails
    assert (mail.login, mail.sender, mail.recipients) == ("sales@example.com", "sales@example.com", ("a@b.example",))
    await provider.close()


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
