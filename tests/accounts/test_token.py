from dataclasses import replace
from pathlib import Path

import pytest

from relay.accounts.credentials import Credentials
from relay.accounts.token import TokenCredential
from relay.model.account import Pop3Server, Security, SmtpServer
from relay.model.errors import CredentialError
from relay.model.oauth import Flow
from relay.model.secret import Secret
from tests.accounts.conftest import Office
from tests.peers.credentials import key


async def test_one_login_serves_all_servers_of_an_account(office: Office) -> None:
    keeper = await office.signed_in()
    oauth = office.oauth()
    credentials = Credentials(key, keeper)
    smtp = SmtpServer(host="smtp.example", port=1, security=Security.TLS, username="anna@example.com", oauth=oauth)
    pop3 = Pop3Server(host="pop.example", port=1, security=Security.TLS, username="shared@example.com", oauth=oauth)
    one, two = credentials.of(smtp), credentials.of(pop3)
    assert one is not None
    assert one.identity == two.identity
    assert (one.identity.kind, one.identity.host, one.origin) == ("token", "127.0.0.1", "oauth")
    assert one.mechanisms == ("xoauth2", "oauthbearer")
    assert await one.secret() == await two.secret()
    assert not any(secret in repr(one) for secret in office.server.issued)


async def test_its_revision_changes_when_somebody_signs_in_and_never_by_a_refresh(office: Office) -> None:
    before = TokenCredential(oauth=office.oauth(), keeper=office.keeper())
    nobody = await before.revision(b"k")
    credential = TokenCredential(oauth=office.oauth(), keeper=await office.signed_in())
    first = await credential.revision(b"k")
    assert first != nobody
    office.now += 3_600_000
    await credential.secret()
    assert len(office.server.asked) == 1
    assert await credential.revision(b"k") == first
    await office.signed_in()
    assert await credential.revision(b"k") != first


async def test_its_revision_changes_with_what_proves_the_client(office: Office, tmp_path: Path) -> None:
    async def revision(by_person: bool = False, **more: object) -> str:
        oauth = office.oauth(Flow.APP, **more)
        return await TokenCredential(oauth=oauth, keeper=office.keeper()).revision(b"k", by_person=by_person)

    file = tmp_path / "secret"
    given = Secret(key="client_secret", file=str(file))
    found = []
    for content in ("one", "two"):
        file.write_text(content)
        found += [await revision(client_secret=given), await revision(private_key=str(file))]
    command = Secret(key="client_secret", command=("cat", str(file)))
    found += [await revision(client_secret=command), await revision(by_person=True, client_secret=command)]
    found.append(await revision(client_secret=replace(command, command=("date",))))
    assert len({*found}) == len(found)
    with pytest.raises(CredentialError, match="can't be read"):
        await revision(certificate=str(tmp_path / "none"))
