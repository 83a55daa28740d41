import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from relay.accounts.issuer import Issuer
from relay.model.errors import CredentialError
from relay.model.oauth import Flow, OAuth, Provider
from relay.model.secret import Secret
from relay.rules.oauth_answers import DeviceCode, Meaning, Refusal, Tokens
from relay.upstream.posting import PostError
from relay.web import Answer
from tests.accounts.conftest import Office
from tests.accounts.test_assertions import NOW, google, microsoft


class Post:
    """Keeps what is posted, and answers with a token."""

    def __init__(self) -> None:
        self.forms: list[tuple[str, Mapping[str, str]]] = []

    async def __call__(self, url: str, form: Mapping[str, str]) -> Answer:
        self.forms.append((url, form))
        return Answer(status=200, body=b'{"access_token": "a", "token_type": "Bearer"}')


def issuer(oauth: OAuth, post: Post) -> Issuer:
    return Issuer(oauth, post=post, now=lambda: NOW)


async def test_all_grants_of_a_real_server(office: Office) -> None:
    asked = Issuer(office.oauth(), now=lambda: NOW)
    code = await asked.begin_device()
    assert isinstance(code, DeviceCode)
    waiting = await asked.ask_device(code)
    assert isinstance(waiting, Refusal)
    office.server.signed_in.set()
    tokens = await asked.ask_device(code)
    assert isinstance(tokens, Tokens)
    assert tokens.refresh is not None
    assert isinstance(await asked.refresh(tokens.refresh), Tokens)
    assert isinstance(await asked.as_app(), Tokens)
    assert isinstance(await asked.redeem("none", verifier="v", redirect="http://127.0.0.1:1"), Refusal)
    assert asked.host == "127.0.0.1"


async def test_what_is_sent_to_microsoft(tmp_path: Path) -> None:
    post = Post()
    public = OAuth(
        provider=Provider.MICROSOFT, flow=Flow.DEVICE, client_id="c", user="a@b.example", protocols=("smtp",)
    )
    await issuer(public, post).refresh("r")
    url, form = post.forms[-1]
    assert url == "https://login.microsoftonline.com/common/oauth2/v2.0/token"
    assert form == {
        "grant_type": "refresh_token",
        "refresh_token": "r",
        "client_id": "c",
        "scope": "https://outlook.office.com/SMTP.Send offline_access",
    }
    await issuer(microsoft(tmp_path), post).as_app()
    form = post.forms[-1][1]
    assert form["scope"] == "https://outlook.office365.com/.default"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert form["client_assertion"].count(".") == 2
    assert "client_secret" not in form


async def test_what_is_sent_to_google(tmp_path: Path) -> None:
    post, file = Post(), tmp_path / "secret"
    file.write_text("sesame\n")
    oauth = OAuth(
        provider=Provider.GOOGLE, flow=Flow.BROWSER, client_id="c", user="a@b.example",
        client_secret=Secret(key="client_secret", file=str(file)),
    )  # fmt: skip
    await issuer(oauth, post).refresh("r")
    assert post.forms[-1][1] == {
        "grant_type": "refresh_token", "refresh_token": "r", "client_id": "c", "client_secret": "sesame",
    }  # fmt: skip
    microsoft(tmp_path)
    await issuer(google(tmp_path / "k.pem"), post).as_app()
    assert {*post.forms[-1][1]} == {"grant_type", "assertion"}
    file.unlink()
    with pytest.raises(CredentialError, match=r"client_secret_file .*can't be read"):
        await issuer(oauth, post).refresh("r")


REFRESH, SECRET = "0.AXoA+refresh/token~" + "q7-W" * 30, "8Q~client secret+%"
QUOTING = (
    str,
    quote,
    quote_plus,
    lambda one: quote(one, safe="").lower(),
    lambda one: base64.b64encode(one.encode()).decode(),
    lambda one: f"{'x' * 285} {one}",
    lambda one: f"Trace ID: {one}",
    lambda one: one[:60],
)


@pytest.mark.parametrize("quoted", QUOTING)
@pytest.mark.parametrize("field", ["refresh_token", "client_secret", "code", "code_verifier", "device_code"])
async def test_what_an_issuer_repeats_of_a_form_is_withheld(
    office: Office, field: str, quoted: Callable[[str], str]
) -> None:
    office.server.secret = SECRET
    given = {field: SECRET if field == "client_secret" else REFRESH}
    said = f"AADSTS70043: The token '{quoted(given[field])}' of {office.oauth().user} is expired."
    office.server.refusal = {"error": "invalid_grant", "error_description": said}
    asked = Issuer(office.oauth(), now=lambda: NOW)
    if field == "device_code":
        code = DeviceCode(device_code=REFRESH, user_code="A", page="https://a.example", life=9, interval=1)
        answer = await asked.ask_device(code)
    elif field.startswith("code"):
        code_of = {"code": "c0de", "verifier": "v3rifier"} | {field.removeprefix("code_"): REFRESH}
        answer = await asked.redeem(code_of["code"], verifier=code_of["verifier"], redirect="http://127.0.0.1:1")
    else:
        answer = await asked.refresh(REFRESH)
    assert str(answer) == "invalid_grant: AADSTS70043 (withheld: the issuer repeats a secret)"
    assert isinstance(answer, Refusal)
    assert answer.meaning is Meaning.ENDED


async def test_an_error_or_a_name_that_is_a_secret_is_not_shown(office: Office) -> None:
    office.server.refusal = {"error": "the-secret-refresh-token"}
    refused = await Issuer(office.oauth(), now=lambda: NOW).refresh("the-secret-refresh-token")
    assert str(refused) == "HTTP 400"
    office.server.refusal = None
    office.server.claims = {"upn": f"{office.server.sign_in()['refresh_token']}@example.com"}
    given = office.server.claims["upn"].removesuffix("@example.com")
    tokens = await Issuer(office.oauth(), now=lambda: NOW).refresh(given)
    assert isinstance(tokens, Tokens)
    assert tokens.names == ()


async def test_without_scopes_none_are_sent(office: Office) -> None:
    post = Post()
    await issuer(office.oauth(Flow.APP, scopes=()), post).as_app()
    assert "scope" not in post.forms[-1][1]


async def test_a_network_fault_names_the_host_and_nothing_that_was_sent(office: Office) -> None:
    async def post(url: str, form: Mapping[str, str]) -> Answer:  # noqa: ARG001 - as a Post
        raise PostError("h.example:443: Connection refused")

    with pytest.raises(CredentialError, match=r"no token: 127\.0\.0\.1 can't be asked: h\.example:443") as caught:
        await Issuer(office.oauth(), post=post, now=lambda: NOW).refresh("sesame")
    assert not caught.value.permanent
    assert "sesame" not in repr(caught.value) + repr(caught.value.__context__)
