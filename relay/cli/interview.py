"""Asks a person at the terminal, in her language, until an answer can be used; what an option says is not asked.

Without a terminal the defaults hold, and what has none is named with its option.
"""

import sys
from collections.abc import Callable
from typing import TypeVar

import click

from relay.cli.output import say
from relay.first_steps import texts
from relay.first_steps.reading import WrongAnswerError, read_yes
from relay.presets.preset import Words

_T = TypeVar("_T")


class Interview:
    """One person who is asked, or nobody."""

    def __init__(self, language: str, *, terminal: bool | None = None) -> None:
        """`terminal`: whether there is a person; None: whether standard input is a terminal."""
        self.language = language
        self.terminal = sys.stdin.isatty() if terminal is None else terminal

    def tell(self, words: Words, **values: object) -> None:
        """Say something between two questions, where somebody is there."""
        if self.terminal:
            say(self._in_words(words, **values))

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
        text = given
        while True:
            try:
                if text is not None:
                    return read(text)
            except WrongAnswerError as error:
                if not self.terminal:
                    raise click.UsageError(f"{option}: {error}") from None
                say(self._in_words(error.words), error=True)
            text = self._prompt(question, option, default)

    def _prompt(self, question: Words, option: str, default: str | None) -> str:
        if self.terminal:
            shown = default or None
            return str(
                click.prompt(
                    self._in_words(question), default="" if default is None else default, show_default=bool(shown)
                )
            )
        if default is None:
            raise click.UsageError(f"{option} is missing: {question.en}")
        return default

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
        while self.terminal:
            said = self._hidden(question)
            if said and new and self._hidden(texts.REPEAT) != said:
                say(self._in_words(texts.DIFFERENT), error=True)
            elif (said or empty) and (not said or said.splitlines() == [said]):
                return said
            else:
                say(self._in_words(texts.NOT_A_SECRET), error=True)
        line = "" if empty else sys.stdin.readline().rstrip("\r\n")
        if not line and not empty:
            raise click.UsageError(f"{option} is missing, and standard input has no line either: {question.en}")
        return line

    def _hidden(self, question: Words) -> str:
        return str(click.prompt(self._in_words(question), hide_input=True, default="", show_default=False))

    def _in_words(self, words: Words, **values: object) -> str:
        text = words.by(self.language)
        return text.format(**values) if values else text


def fill_in(words: Words, **values: object) -> Words:
    """Return a text with its values in it, in both languages."""
    return Words(*(text.format(**values) for text in words))
