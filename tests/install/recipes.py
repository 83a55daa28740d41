"""The commands that people are told to run, read out of where they are told."""

import re
from pathlib import Path

_FENCE = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INDENTED = "    "


def section(markdown: str, *headings: str) -> str:
    """Give the text below a heading, named by itself and those above it, up to the next of its level or above.

    Raises KeyError where it is not there.
    """
    text = markdown
    for heading in headings:
        level = len(heading) - len(heading.lstrip("#"))
        found = re.search(rf"^{re.escape(heading)}.*\n", text, re.MULTILINE)
        if found is None:
            raise KeyError(heading)
        rest = text[found.end() :]
        end = re.search(rf"^#{{1,{level}}} ", _hide_code(rest), re.MULTILINE)
        text = rest[: end.start()] if end else rest
    return text


def _hide_code(text: str) -> str:
    """Blank out blocks of code, in which a `#` is no heading; the positions stay."""
    return _FENCE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def blocks(text: str) -> list[str]:
    """Give the blocks of shell commands that are fenced."""
    return [found[1] for found in _FENCE.finditer(text)]


def command_for(text: str, beginning: str) -> str:
    """Give the one indented command that begins so, without the comment behind it. Raises KeyError."""
    for line in text.splitlines():
        if line.startswith(_INDENTED + beginning):
            return re.split(r"\s{2,}#\s", line.strip(), maxsplit=1)[0]
    raise KeyError(beginning)


def comment_steps(text: str) -> list[str]:
    """Give the indented lines of a file's comment at its top, in their order."""
    head = text.partition("\n\n")[0]
    return [line.removeprefix("#" + " " * 5) for line in head.splitlines() if line.startswith("#" + " " * 5)]


def read_readme() -> str:
    """Give the README."""
    return (Path(__file__).parents[2] / "README.md").read_text()
