"""Credentials: what of them is compared, what is read anew, and that nothing shows a secret."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relay.accounts.credentials import Credentials, PasswordCredential
from relay.model.account import Pop3Server, Security, SmtpServer
from relay.model.errors import CredentialError, StorageError
from relay.model.secret import Secret
from tests.peers.credentials import Token, TokenCredentials, key, password

SERVER = SmtpServer(host="h.example", port=587, security=Security.STARTTLS, username="u", password=Secret(value="one"))


def made_of(source: Secret) -> PasswordCredential:
    credential = Credentials(key).of(replace(SERVER, password=source))
    assert isinstance(credential, PasswordCredential)
    return credential


def test_an_identity_is_login_host_and_kind_and_no_password() -> None:
    one = Credentials(key).of(SERVER)
    assert one is not None
    same = Credentials(key).of(replace(SERVER, port=465, password=Secret(file="/p")))
    assert same is not None
    assert one.identity == same.identity
    pop3 = Pop3Server(host="h.example", port=995, security=Security.TLS, username="u")
    assert Credentials(key).of(pop3).identity == one.identity
    others = [
        Credentials(key).of(other) for other in (replace(SERVER, host="i.example"), replace(SERVER, username="v"))
    ]
    assert len({one.identity, *(other.identity for other in others if other is not None)}) == 3
    assert Token().identity != password("u").identity
    assert Credentials(key).of(replace(SERVER, username=None)) is None


@given(st.text(min_size=6))
def test_neither_a_credential_nor_what_is_compared_of_it_shows_the_password(secret: str) -> None:
    credential = made_of(Secret(value=secret))
    shown = repr(credential) + str(credential) + credential.identity.hashed(b"k")
    assume(secret not in repr(made_of(Secret(value=""))) + credential.identity.hashed(b"k"))
    assert secret not in shown


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        (Secret(value="hunter2"), "password"),
        (Secret(file="/etc/relay/secrets/sales"), "password_file (/etc/relay/secrets/sales)"),
        (Secret(env="SALES"), "password_env (SALES)"),
        (Secret(command=("pass", "hunter2")), "password_command"),
    ],
)
def test_its_origin_names_the_key_and_no_password(source: Secret, origin: str) -> None:
    assert made_of(source).origin == origin


async def test_a_password_is_read_anew_at_each_login(tmp_path: Path) -> None:
    credential = made_of(Secret(file=str(tmp_path / "p")))
    for text in ("one", "two"):
        (tmp_path / "p").write_text(text)
        assert await credential.secret() == text
    (tmp_path / "p").unlink()
    with pytest.raises(CredentialError, match="can't be read") as error:
        await credential.secret()
    assert error.value.permanent  # only a person can bring it back


async def test_a_revision_is_another_one_where_a_person_has_changed_what_is_sent(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("one")
    file = made_of(Secret(file=str(tmp_path / "p")))
    command = made_of(Secret(command=("/bin/cat", str(tmp_path / "p"))))
    before = [await file.revision(b"k"), await command.revision(b"k"), await command.revision(b"k", by_person=True)]
    assert await file.revision(b"l") != before[0]
    assert await made_of(Secret(value="one")).revision(b"k") == before[0]  # it was moved, not changed
    (tmp_path / "p").write_text("two")
    after = [await file.revision(b"k"), await command.revision(b"k"), await command.revision(b"k", by_person=True)]
    # What a command prints may be a token: only a person's look asks for it.
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True, False]


async def test_a_fingerprint_depends_on_what_a_login_depends_on() -> None:
    credentials = Credentials(key)
    found = await credentials.fingerprint(SERVER)
    assert found == await Credentials(key).fingerprint(replace(SERVER, verify=False, ca_file="x", connections=9))
    for other in (
        replace(SERVER, host="i.example"),
        replace(SERVER, port=25),
        replace(SERVER, username="v"),
        replace(SERVER, username=None),
        replace(SERVER, password=Secret(value="two")),
    ):
        assert await credentials.fingerprint(other) != found
    assert await credentials.fingerprint(replace(SERVER, password=Secret(file="/nowhere/p"))) == ""


async def test_a_fingerprint_is_the_same_for_all_tokens_of_one_grant() -> None:
    credentials = TokenCredentials(Token())
    found = await credentials.fingerprint(SERVER)
    assert await credentials.token.secret() != await credentials.token.secret()
    assert await credentials.fingerprint(SERVER) == found
    credentials.token.grant += 1
    assert await credentials.fingerprint(SERVER) != found


async def test_the_key_is_read_once_and_again_where_it_could_not_be_read() -> None:
    answers: list[Exception | None] = [StorageError("gone"), None]

    async def read() -> bytes:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return b"k"

    credentials = Credentials(read)
    assert await credentials.revision(None) == ""
    with pytest.raises(StorageError):
        await credentials.revision(password("p"))
    assert await credentials.revision(password("p")) == await credentials.revision(password("p"))
    assert answers == []
