import click
import pytest
from click.testing import CliRunner

from relay.cli.interview import Interview, fill_in
from relay.first_steps import reading, texts
from relay.presets.preset import Words

QUESTION = Words("Which port", "Welcher Port")


def test_a_wrong_answer_is_asked_again_with_the_reason_in_the_persons_language() -> None:
    with CliRunner().isolation(input="0\n465\n") as (out, err, _):
        person = Interview("de", terminal=True)
        assert person.ask(QUESTION, reading.read_port, option="--port", default="587") == 465
        said = out.getvalue().decode()
    assert said.count("Welcher Port [587]") == 2
    assert "0: ist kein Port" in err.getvalue().decode()


def test_what_an_option_says_is_not_asked_unless_it_is_wrong() -> None:
    with CliRunner().isolation(input="25\n") as (out, *_):
        person = Interview("en", terminal=True)
        assert person.ask(QUESTION, reading.read_port, option="--port", given="465") == 465
        assert out.getvalue() == b""
        assert person.ask(QUESTION, reading.read_port, option="--port", given="x") == 25


def test_without_a_terminal_a_default_holds_and_what_has_none_is_named_with_its_option() -> None:
    nobody = Interview("en", terminal=False)
    assert nobody.ask(QUESTION, reading.read_port, option="--port", default="587") == 587
    with pytest.raises(click.UsageError, match=r"--port is missing: Which port"):
        nobody.ask(QUESTION, reading.read_port, option="--port")
    with pytest.raises(click.UsageError, match=r"--port: x: is no port"):
        nobody.ask(QUESTION, reading.read_port, option="--port", given="x")
    assert nobody.agree(QUESTION, option="--yes", default=True)
    assert not nobody.agree(QUESTION, option="--yes", given=False, default=True)


@pytest.mark.parametrize(
    ("typed", "default", "answer"), [("\n", True, True), ("ja\n", False, True), ("n\n", True, False)]
)
def test_yes_and_no_are_understood_in_both_languages(typed: str, default: bool, answer: bool) -> None:
    with CliRunner().isolation(input=typed) as (out, *_):
        assert Interview("de", terminal=True).agree(QUESTION, option="--yes", default=default) is answer
        assert f"[{'J/n' if default else 'j/N'}]" in out.getvalue().decode()


def test_a_secret_is_not_shown_and_new_ones_are_asked_for_twice() -> None:
    with CliRunner().isolation(input="\nsecret\nsecret\nnew\nold\nnew\nnew\n") as (out, err, _):
        person = Interview("en", terminal=True)
        assert person.secret(texts.REPEAT, option="--password-file") == "secret"
        assert person.secret(texts.REPEAT, option="--password-file") == "secret"
        assert person.secret(texts.REPEAT, option="--password-file", new=True) == "new"
        assert "secret" not in out.getvalue().decode()
        assert "These were not the same" in err.getvalue().decode()


def test_without_a_terminal_a_secret_is_a_line_of_standard_input() -> None:
    nobody = Interview("en", terminal=False)
    with CliRunner().isolation(input="one\r\ntwo\n"):
        assert nobody.secret(texts.REPEAT, option="--password-file") == "one"
        assert nobody.secret(texts.REPEAT, option="--password-file", empty=True) == ""
        assert nobody.secret(texts.REPEAT, option="--password-file") == "two"
        with pytest.raises(click.UsageError, match="--password-file is missing"):
            nobody.secret(texts.REPEAT, option="--password-file")


def test_who_wants_to_go_back_before_the_first_question_is_told() -> None:
    with CliRunner().isolation(input="<\none\n") as (_, err, _):
        person = Interview("de", terminal=True)
        assert person.conduct(lambda: person.ask(QUESTION, str, option="--port")) == "one"
        assert "Das ist die erste Frage" in err.getvalue().decode()


def test_a_secret_is_no_end_of_the_way_back_and_what_was_said_is_not_said_again() -> None:
    with CliRunner().isolation(input="1\nhush\n<\nother\n<\n<\n2\nthird\nyes\n") as (out, *_):
        person = Interview("en", terminal=True)

        def questions() -> tuple[str, str, bool]:
            first = person.ask(QUESTION, str, option="--port")
            person.tell(texts.CERTIFICATE)
            secret = person.secret(texts.REPEAT, option="--password-file")
            return first, secret, person.agree(QUESTION, option="--x", default=False)

        assert person.conduct(questions) == ("2", "third", True)
        said = out.getvalue().decode()
    assert "hush" not in said
    assert said.count(texts.CERTIFICATE.en) == 4  # what leads to a question is said each time that it is asked
    assert said.count("Which port: ") == 2


def test_where_nobody_leads_back_the_sign_is_an_answer() -> None:
    with CliRunner().isolation(input="<\n"):
        assert Interview("en", terminal=True).ask(QUESTION, str, option="--port") == "<"


def test_the_end_of_what_is_typed_ends_all_of_it() -> None:
    with CliRunner().isolation(input=""), pytest.raises(click.Abort):
        Interview("en", terminal=True).ask(QUESTION, reading.read_port, option="--port")


def test_nothing_is_told_to_nobody() -> None:
    with CliRunner().isolation() as (out, *_):
        Interview("en", terminal=False).tell(texts.LOOKING, domain="x")
        Interview("en", terminal=True).tell(texts.LOOKING, domain="x\x1b")
        assert out.getvalue() == b"Looking up the provider of x\\u001b ...\n"
    assert fill_in(texts.ACCOUNT_NAME) == texts.ACCOUNT_NAME
    assert fill_in(texts.LOOKING, domain="x") == (
        "Looking up the provider of x ...",
        "Der Anbieter von x wird gesucht ...",
    )
