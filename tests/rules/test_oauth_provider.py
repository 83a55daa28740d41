from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.oauth import Flow, OAuth, Provider
from relay.presets.preset import all_presets
from relay.rules.oauth_provider import (
    Endpoints,
    RedirectError,
    binding_of,
    challenge_of,
    consent_page,
    endpoints_of,
    needs_secret,
    read_redirect,
    scopes_of,
    sign_in_page,
    takes_secret,
    usual_flow,
)


def oauth(provider: Provider = Provider.MICROSOFT, flow: Flow = Flow.BROWSER, **more: Any) -> OAuth:  # noqa: ANN401
    return OAuth(provider=provider, flow=flow, client_id="client", user="a@b.example", protocols=("smtp",), **more)


CUSTOM = Endpoints(token="https://h.example/t", authorize="https://h.example/a?x=1")


def test_the_challenge_is_that_of_rfc_7636() -> None:
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_scopes_are_those_of_the_protocols_that_are_used() -> None:
    assert scopes_of(oauth()) == ("https://outlook.office.com/SMTP.Send", "offline_access")
    assert scopes_of(oauth(flow=Flow.APP, tenant="t")) == ("https://outlook.office365.com/.default",)
    assert scopes_of(oauth(Provider.GOOGLE)) == ("https://mail.google.com/",)
    assert scopes_of(oauth(Provider.CUSTOM, scopes=("mail",))) == ("mail",)


def test_the_sign_in_page() -> None:
    def asked(one: OAuth) -> dict[str, list[str]]:
        return parse_qs(urlsplit(sign_in_page(one, redirect="http://localhost", state="s", verifier="v")).query)

    microsoft, google = asked(oauth()), asked(oauth(Provider.GOOGLE))
    assert "prompt" not in microsoft
    assert google["prompt"] == ["consent"]
    for one in (microsoft, google):
        assert one["state"] == ["s"]
        assert one["code_challenge"] == [challenge_of("v")]
        assert one["code_challenge_method"] == ["S256"]
        assert one["login_hint"] == ["a@b.example"]
    custom = asked(oauth(Provider.CUSTOM, authorize_url="https://h.example/a?x=1"))
    assert custom["x"] == ["1"]


def test_a_login_is_bound_to_who_signs_in_where() -> None:
    assert len({binding_of(oauth()), binding_of(oauth(tenant="t")), binding_of(oauth(Provider.GOOGLE))}) == 3
    assert endpoints_of(oauth(tenant="t")).token == "https://login.microsoftonline.com/t/oauth2/v2.0/token"


def test_an_administrator_can_allow_it_for_a_directory() -> None:
    page = consent_page(oauth(tenant="t"), redirect="http://localhost")
    assert page is not None
    assert page.startswith("https://login.microsoftonline.com/t/v2.0/adminconsent?client_id=client&")
    for protocols, resource in ((("smtp", "pop3"), "outlook.office365.com"), (("pop3",), "ps.outlook.com")):
        app = consent_page(replace(oauth(tenant="t", flow=Flow.APP), protocols=protocols), redirect="http://localhost")
        assert app is not None
        assert app.endswith(f"scope=https%3A%2F%2F{resource}%2F.default")
    assert consent_page(oauth(), redirect="") is None
    assert consent_page(oauth(Provider.GOOGLE), redirect="") is None


VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F))


@given(
    st.text(VISIBLE, min_size=1, max_size=40),
    st.text(max_size=40),
    st.sampled_from([{}, {"iss": "https://h.example/realm"}]),
)
def test_the_code_comes_back_as_it_was(code: str, state: str, more: dict[str, str]) -> None:
    address = f"  http://localhost/?{urlencode({'code': code, 'state': state, **more})}#_=_ "
    assert read_redirect(address, endpoints=CUSTOM, state=state) == code


@given(st.text(max_size=80) | st.builds("http://x/?{}".format, st.text("codestateerri=&%+", max_size=40)))
def test_nothing_else_is_taken_for_a_code(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|belongs|holds"):
        read_redirect(text, endpoints=CUSTOM, state="never-in-it")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("code=sesame&state=x", "another attempt"),
        ("code=sesame", "another attempt"),
        ("code=sesame&code=b&state=s", "is not the address"),
        ("code=sesame&state=s&iss=https%3A%2F%2Fevil.example", "another issuer"),
        ("code=sesame&state=s&iss=http%3A%2F%2Fh.example", "another issuer"),
        ("error=access_denied&error_description=no%0Anever&state=s", "access_denied no never"),
        ("code=&state=s", "no code"),
        *(
            (f"code=sesame{sign}&state=s", "signs that no provider")
            for sign in ("%00", "%1b%5b2J", "%0d%0a", "+", "%C3%A4")
        ),
        ("code=" + "x" * 20_000, "too long"),
    ],
)
def test_what_is_refused(query: str, says: str) -> None:
    with pytest.raises(RedirectError, match=says) as error:
        read_redirect(f"http://localhost/?{query}", endpoints=CUSTOM, state="s")
    assert error.value.by("en") == str(error.value)
    assert error.value.by("de") != str(error.value)
    assert "sesame" not in str(error.value) + error.value.by("de")


def test_google_always_says_who_it_is_and_by_one_name() -> None:
    """As in the answers of its page of these days, which say all this and more."""
    google, query = endpoints_of(oauth(Provider.GOOGLE)), "http://127.0.0.1/?state=s&{}code=c&authuser=0&prompt=consent"
    named = query.format("iss=https%3A%2F%2Faccounts.google.com&")
    assert read_redirect(named, endpoints=google, state="s") == "c"
    for issuer in ("https://accounts.google.com/", "https://Accounts.google.com", "accounts.google.com", ""):
        with pytest.raises(RedirectError, match="another issuer"):
            read_redirect(query.format(f"{urlencode({'iss': issuer})}&"), endpoints=google, state="s")
    with pytest.raises(RedirectError, match=r"does not name the issuer https://accounts\.google\.com") as error:
        read_redirect(query.format(""), endpoints=google, state="s")
    assert "nennt den Aussteller" in error.value.by("de")
    with pytest.raises(RedirectError, match="provider refused: access_denied"):
        read_redirect("http://127.0.0.1/?error=access_denied&state=s", endpoints=google, state="s")


@pytest.mark.parametrize("provider", [Provider.MICROSOFT, Provider.CUSTOM])
def test_who_may_say_nothing_of_himself_is_compared_where_he_does(provider: Provider) -> None:
    """Microsoft says nothing; should it ever, it calls itself by the directory's id, which nobody needs to know."""
    endpoints = endpoints_of(oauth(provider, authorize_url="https://login.microsoftonline.com/x"))
    for issuer in ("", "&iss=https%3A%2F%2Flogin.microsoftonline.com%2F0-0%2Fv2.0"):
        assert read_redirect(f"http://localhost/?code=c&state=s{issuer}", endpoints=endpoints, state="s") == "c"
    with pytest.raises(RedirectError, match="another issuer"):
        read_redirect(
            "http://localhost/?code=c&state=s&iss=https%3A%2F%2Fsts.evil.example", endpoints=endpoints, state="s"
        )


@pytest.mark.parametrize(
    ("provider", "flow", "needs", "takes"),
    [
        ("microsoft", "device", False, False),
        ("microsoft", "browser", False, True),
        ("microsoft", "app", True, True),
        ("google", "browser", True, True),
        ("google", "app", False, False),
        ("custom", "device", False, True),
        ("custom", "app", True, True),
        ("", "", False, True),
    ],
)
def test_who_needs_a_secret_and_who_may_have_one(provider: str, flow: str, needs: bool, takes: bool) -> None:
    assert (needs_secret(provider, flow), takes_secret(provider, flow)) == (needs, takes)


def test_the_usual_flow_is_the_first_that_a_providers_preset_names() -> None:
    offers = [one.oauth for one in all_presets() if one.oauth is not None]
    assert {offer.provider for offer in offers} == {"microsoft", "google"}
    assert all(usual_flow(offer.provider) == offer.flows[0] for offer in offers)
    assert usual_flow("custom") is None
