import aiosmtplib
import pytest

from relay.demo.provider import PASSWORD, Provider


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
