"""Asks a person at the terminal, in her language, until an answer can be used; what an option says is not asked.

Without a terminal the defaults hold, and what has none is named with its option.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import click

from relay.cli.configuration import FAILED
from relay.cli.output import say
from relay.first_steps import texts
from relay.first_steps.reading import WrongAnswerError, read_yes
from relay.presets.preset import Words

_T = TypeVar("_T")
BACK: Final = "<"
"""What is typed to come to the question before."""


class _BackError(Exception):
    """The person wants to answer the question before anew."""


class Interview:
    """One person who is asked, or nobody."""

    def __init__(self, language: str, *, terminal: bool | None = None) -> None:
        """`terminal`: whether there is a person; None: whether standard input is a terminal."""
        self.language = language
        self.terminal = sys.stdin.isatty() if terminal is None else terminal
        self.kept: dict[str, Any] = {}
        """What took long to find out, for who comes to the same question again."""
        self._leads_back = False
        self._answers: list[str] = []
        """What was typed and could be used, in order."""
        self._at = 0
        """How many of them the questions have had."""

    def conduct(self, questions: Callable[[], _T]) -> _T:
        """Return what a function makes of the answers to all that it asks; `<` leads to the question before.

        The function is called anew then, and gets what was answered before that question without asking: the same
        answers must lead it to the same questions.
        """
        self._leads_back = True
        while True:
            self._at = 0
            try:
                return questions()
            except _BackError:
                self._answers.pop()

    @property
    def repeats(self) -> bool:
        """Whether the next question was answered before, as somebody went back to a later one."""
        return self._at < len(self._answers)

    def tell(self, words: Words, **values: object) -> None:
        """Say something between two questions, where somebody is there."""
        if self.terminal:
            self.note(words, **values)

    def note(self, words: Words, **values: object) -> None:
        """Say something, also where nobody is there; what was said already is not said again."""
        if not self.repeats:
            say(self._in_words(words, **values))

    def _object(self, words: Words) -> None:
        """Say why an answer can't be used."""
        if not self.repeats:
            say(self._in_words(words), error=True)

    def ask(
        self,
        question: Words,
        read: Callable[[str], _T],
        *,
        option: str,
        given: str | None = None,
        default: str | None = None,
    ) -> _T:
        """Return the answer to a question, as `read` makes it of the text.

        `given`: what the option says; `default`: what Enter means. Raises click.UsageError without a terminal, and
        click.Abort where the person ends it.
        """
        if given is not None:
            try:
                return read(given)
            except WrongAnswerError as error:
                if not self.terminal:
                    raise click.UsageError(f"{option}: {error}") from None
                self._object(error.words)
        if self.terminal:
            shown = self._in_words(question)
            return self._type(
                lambda: click.prompt(shown, default="" if default is None else default, show_default=bool(default)),
                read,
            )
        if default is None:
            raise click.UsageError(f"{option} is missing: {question.en}")
        try:
            return read(default)
        except WrongAnswerError as error:
            raise click.UsageError(f"{option}: {error}") from None

    def agree(self, question: Words, *, option: str, given: bool | None = None, default: bool) -> bool:
        """Return the answer to a question for yes or no."""
        if given is not None:
            return given
        if not self.terminal:
            return default
        choices = (texts.YES_NO if default else texts.NO_YES).by(self.language)
        asked = Words(*(f"{text} [{choices}]" for text in question))
        return self.ask(asked, lambda text: read_yes(text) if text else default, option=option, default="")

    def secret(self, question: Words, *, option: str, empty: bool = False, new: bool = False) -> str:
        """Ask for a secret without showing it, `new` ones twice; without a terminal take a line of standard input.

        `empty`: whether there may be none. Raises click.UsageError where there is none.
        """

        def prompt(words: Words) -> str:
            return str(click.prompt(self._in_words(words), hide_input=True, default="", show_default=False))

        def type_it() -> str:
            said = prompt(question)
            while said != BACK and said and new and prompt(texts.REPEAT) != said:
                self._object(texts.DIFFERENT)
                said = prompt(question)
            return said

        def read(said: str) -> str:
            if (not said and not empty) or (said and said.splitlines() != [said]):
                raise WrongAnswerError(texts.NOT_A_SECRET)
            return said

        if self.terminal:
            return self._type(type_it, read)
        line = "" if empty else sys.stdin.readline().rstrip("\r\n")
        if not line and not empty:
            raise click.UsageError(f"{option} is missing, and standard input has no line either: {question.en}")
        return line

    def _type(self, prompt: Callable[[], object], read: Callable[[str], _T]) -> _T:
        """Return what was typed at this question before, or is typed until it can be used."""
        if self.repeats:
            self._at += 1
            return read(self._answers[self._at - 1])
        while True:
            text = str(prompt())
            if self._leads_back and text.strip() == BACK:
                if self._answers:
                    raise _BackError
                self._object(texts.FIRST)
                continue
            try:
                answer = read(text)
            except WrongAnswerError as error:
                self._object(error.words)
                continue
            self._answers.append(text)
            self._at += 1
            return answer

    def _in_words(self, words: Words, **values: object) -> str:
        text = words.by(self.language)
        return text.format(**values) if values else text


@contextlib.contextmanager
def ended_by_hand(language: Callable[[], str] = lambda: "en") -> Iterator[None]:
    """Say that nothing was written, and end the command, where a person ends it by Ctrl-C or Ctrl-D in the body."""
    try:
        yield
    except (click.Abort, KeyboardInterrupt):
        say()
        say(texts.ENDED.by(language()), error=True)
        sys.exit(FAILED)


def fill_in(words: Words, **values: object) -> Words:
    """Return a text with its values in it, in both languages."""
    return Words(*(text.format(**values) for text in words))
