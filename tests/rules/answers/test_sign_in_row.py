from relay.rules.answers.row import About, Stage, say
from relay.rules.answers.sign_in_row import entra, oauth


def test_a_row_stands_for_all_its_codes_and_no_other() -> None:
    row = entra("50076 50079", About.LOGIN, english=say("a", "b"), german=say("c", "d"))
    assert row.name == "aadsts_50076"
    for text, fits in (("aadsts50076: x", True), ("aadsts50079", True), ("aadsts500760", False), ("50076", False)):
        assert row.fits(stage=Stage.SIGN_IN, code=0, status="", text=text) is fits


def test_an_error_of_the_standards_is_the_whole_word() -> None:
    row = oauth("login_required consent_required", About.LOGIN, english=say("a", "b"), german=say("c", "d"))
    assert row.name == "login_required"
    for text, fits in (("login_required", True), ("consent_required", True), ("no login_required", False)):
        assert row.fits(stage=Stage.SIGN_IN, code=0, status="", text=text) is fits
