"""What the doctor says of a login by a token: that it can be renewed, what it is good for, for whom, until when."""

from dataclasses import replace

import pytest

from relay.accounts.examining import examine_login, missing_scopes, say_testing
from relay.model.oauth import Flow, OAuth, Provider
from relay.rules.oauth_answers import Tokens
from relay.rules.oauth_ends import ProofEnd
from relay.upstream.course import Step
from tests.accounts.conftest import Office

DAY = 86_400_000


async def examine(office: Office, *, proofs_end: tuple[ProofEnd, ...] = (), flow: Flow = Flow.DEVICE) -> list[Step]:
    told: list[Step] = []
    oauth = office.oauth(flow)
    steps = await examine_login(oauth, office.keeper(), proofs_end=proofs_end, now=lambda: office.now, tell=told.append)
    assert steps == told
    said = " ".join(f"{one.text} {one.advice}" for one in steps)
    assert not any(secret in said for secret in office.server.issued)
    return steps


def brief(steps: list[Step]) -> list[tuple[str, bool, bool]]:
    return [(one.name, one.good, one.warns) for one in steps]


async def test_a_good_login_is_asked_for_once(office: Office) -> None:
    await office.signed_in()
    office.server.scope, office.server.claims = "mail", {"upn": "Anna@Example.com"}
    steps = await examine(office)
    assert [(one.name, one.text) for one in steps] == [
        ("signed in", "since 2026-05-28"),
        ("get a token", "127.0.0.1 gave one for 60 min"),
        ("permissions", "all that the account needs are granted"),
        ("who it is", "signed in as anna@example.com"),
    ]
    assert all(one.good and not one.warns for one in steps)
    assert len(office.server.asked) == 1


async def test_who_has_not_signed_in_is_told_the_command(office: Office) -> None:
    (step,) = await examine(office)
    assert (step.name, step.good, step.login_refused) == ("signed in", False, True)
    assert step.text == "nobody has signed in yet: relay account authorize sales"
    assert "relay account authorize sales" in step.advice
    assert office.server.asked == []


async def test_a_login_that_is_over_says_the_issuers_words(office: Office) -> None:
    await office.signed_in()
    text = "AADSTS50173: The provided grant has expired due to it being revoked"
    office.server.refusal = {"error": "invalid_grant", "error_description": text}
    *_, step = await examine(office)
    assert (step.good, step.login_refused) == (False, True)
    assert text in step.text
    assert "relay account authorize sales" in step.advice
    (again,) = await examine(office)
    assert again.text == step.text
    assert len(office.server.asked) == 1


async def test_an_issuer_that_is_down_is_for_now(office: Office) -> None:
    await office.signed_in()
    office.server.is_down = True
    *_, step = await examine(office)
    assert (step.name, step.good, step.login_refused) == ("get a token", False, False)
    assert "HTTP 503" in step.text
    assert step.advice.startswith("That is for now")


async def test_another_person_and_a_missing_permission_are_named(office: Office) -> None:
    await office.signed_in()
    office.server.scope, office.server.claims = "profile", {"preferred_username": "ben@example.com"}
    *_, permissions, who = await examine(office)
    assert (permissions.good, permissions.text) == (False, "not granted: mail")
    assert (who.good, who.warns) == (True, True)
    assert who.text == "you signed in as ben@example.com, the account wants anna@example.com"
    assert "relay account authorize sales" in who.advice


async def test_what_ends_soon_is_told(office: Office) -> None:
    office.server.renewal_life = 14 * 86_400
    await office.signed_in()
    assert (
        brief(await examine(office, proofs_end=(ProofEnd(office.now + 61 * DAY, is_certificate=False),)))[2:]
        == [("days left", True, False)] * 2
    )
    office.now += 8 * DAY
    office.server.renewal_life = 6 * 86_400
    secret, certificate = (ProofEnd(office.now + 60 * DAY, is_certificate=one) for one in (False, True))
    over = ProofEnd(office.now - DAY, is_certificate=True)
    steps = await examine(office, proofs_end=(secret, certificate, over))
    assert brief(steps)[2:] == [("days left", True, True)] * 4
    assert steps[2].text == "the provider ends the sign-in in 6 days, on 2026-06-11"
    assert steps[3].text == "the client secret ends in 60 days, on 2026-08-04"
    assert "relay account edit sales --client-secret --secret-expires DAY" in steps[3].advice
    assert steps[4].text == "the certificate ends in 60 days, on 2026-08-04"
    assert "upload it" in steps[4].advice
    assert steps[5].text == "the certificate has ended, on 2026-06-04"


async def test_an_app_signs_nobody_in(office: Office) -> None:
    office.server.secret = "the-clients-secret"
    office.server.claims = {"upn": "ben@example.com"}
    assert brief(await examine(office, flow=Flow.APP)) == [("get a token", True, False)]
    office.server.secret = "another"
    steps = await examine_login(
        replace(office.oauth(Flow.APP), client_secret=office.oauth().client_secret, client_id="other"),
        office.keeper(), proofs_end=(), now=lambda: office.now, tell=lambda _: None,
    )  # fmt: skip
    assert (steps[-1].name, steps[-1].good, steps[-1].login_refused) == ("get a token", False, True)


def test_what_is_granted_is_compared_whatever_its_case() -> None:
    oauth = OAuth(provider=Provider.MICROSOFT, flow=Flow.DEVICE, client_id="c", protocols=("smtp", "pop3"))
    granted = ("https://outlook.office.com/smtp.send", "https://outlook.office.com/User.Read")
    assert missing_scopes(oauth, Tokens(access="x", life=1, scopes=granted)) == [
        "https://outlook.office.com/POP.AccessAsUser.All"
    ]
    assert missing_scopes(oauth, Tokens(access="x", life=1)) == []


@pytest.mark.parametrize(("life", "told"), [(604_799, True), (0, False), (7_776_000, False)])
def test_an_app_in_testing_at_google_is_named(life: int, told: bool) -> None:
    oauth = OAuth(provider=Provider.GOOGLE, flow=Flow.BROWSER, client_id="c", account="sales")
    assert ("In production" in say_testing(oauth, life)) is told
