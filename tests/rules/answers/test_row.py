import pytest

from relay.rules.answers.row import About, Cause, Explanation, Row, Stage, say

ROW = Row(
    name="example",
    about=About.LIMIT,
    stages=frozenset({Stage.SEND}),
    codes=frozenset({450}),
    statuses=frozenset({"7.1"}),
    says="limit",
    unless="mailbox",
    english=say("What.", "Do."),
    german=say("Was."),
)


@pytest.mark.parametrize(
    ("stage", "code", "status", "text", "fits"),
    [
        (Stage.SEND, 450, "7.1", "a limit", True),
        (None, 450, "7.1", "a limit", True),
        (Stage.LOGIN, 450, "7.1", "a limit", False),
        (Stage.SEND, 451, "7.1", "a limit", False),
        (Stage.SEND, 450, "7.2", "a limit", False),
        (Stage.SEND, 450, "7.1", "", False),
        (Stage.SEND, 450, "7.1", "a limit of the mailbox", False),
    ],
)
def test_all_that_a_row_names_must_fit(stage: Stage | None, code: int, status: str, text: str, fits: bool) -> None:
    assert ROW.fits(stage=stage, code=code, status=status, text=text) is fits


def test_a_row_without_conditions_fits_everything() -> None:
    assert Row(name="x", about=About.UNKNOWN).fits(stage=None, code=250, status="", text="")


def test_words_are_by_language() -> None:
    assert ROW.words("en") == Explanation(what="What.", advice="Do.")
    assert ROW.words("de") == Explanation(what="Was.", advice="")


def test_what_is_of_the_account_meets_each_of_its_mails() -> None:
    assert {about for about in About if about.is_of_account} == {About.LOGIN, About.CONFIGURATION, About.SENDER}


def test_certificates_are_looked_at_more_closely() -> None:
    assert Cause.CERTIFICATE_NAME.is_certificate
    assert not Cause.REFUSED.is_certificate
