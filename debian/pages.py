"""The manual pages, made from what `--help` says: one for each command and each group of commands.

Of the ways there are: help2man would start the program some eighty times and read the printed help back; click-man does
what stands here and knows neither our lazy groups nor the files and statuses. So the commands themselves are asked.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from relay import __version__
from relay.cli import main as relay

_MORE: Final = r""".SH EXIT STATUS
0: done. 1: could not be done. 2: wrong usage or configuration.
.SH FILES
.TP
.I /etc/relay/relay.toml
The configuration; an example with every key is below
.IR /usr/share/doc/lan\-mail\-relay .
.TP
.I /etc/relay/secrets
Files with passwords, which the service may read.
.TP
.I /var/lib/relay
The queue, and the inboxes.
"""


def make_pages() -> Mapping[str, str]:
    """Give the pages by their files' names, such as `relay-queue-list.1`."""
    root = click.Context(relay, info_name="relay", **relay.context_settings)
    return {f"{_name(context)}.1": _page(context) for context in _walk(root)}


def _walk(context: click.Context) -> Iterator[click.Context]:
    yield context
    for inner in _commands(context):
        yield from _walk(inner)


def _commands(context: click.Context) -> list[click.Context]:
    """Give the commands of a group, in its order, those left out that are hidden."""
    group = context.command
    if not isinstance(group, click.Group):
        return []
    found = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
    return [
        click.Context(command, info_name=name, parent=context, **command.context_settings)
        for name, command in found
        if command is not None and not command.hidden
    ]


def _name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _page(context: click.Context) -> str:
    command, name = context.command, _name(context)
    text = (command.help or "").partition("\f")[0]
    lines = [
        f'.TH {name.upper()} 1 "" "lan\\-mail\\-relay {__version__}" "Mail relay of the office"',
        ".SH NAME",
        f"{escape(name)} \\- {escape(_first_sentence(text))}",
        ".SH SYNOPSIS",
        f".B {escape(context.command_path)}",
        escape(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        _prose(text),
    ]
    if options := [record for one in command.get_params(context) if (record := one.get_help_record(context))]:
        lines.append(".SH OPTIONS")
        lines += [f".TP\n.B {escape(declared)}\n{escape(said)}" for declared, said in options]
    if inner := _commands(context):
        lines.append(".SH COMMANDS")
        lines += [
            f".TP\n.BR {escape(_name(one))} (1)\n{escape(_first_sentence(one.command.help or ''))}." for one in inner
        ]
    if context.parent is None:
        lines.append(_MORE.strip())
    else:
        lines.append(f".SH SEE ALSO\n.BR {escape(_name(context.parent))} (1)")
    return "\n".join(lines) + "\n"


def _prose(text: str) -> str:
    """Give a paragraph for each of a help text; one behind a backspace keeps its lines, as click has it."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = paragraph.split("\n")
        if lines[0].strip() == "\b":
            parts.append(".PP\n.nf\n" + "\n".join(map(escape, lines[1:])) + "\n.fi")
        else:
            parts.append(".PP\n" + escape(" ".join(line.strip() for line in lines)))
    return "\n".join(parts)


def _first_sentence(text: str) -> str:
    first = " ".join(re.split(r"\n\s*\n", text.strip())[0].split())
    return re.split(r"\.(?:\s|$)", first, maxsplit=1)[0]


def escape(text: str) -> str:
    """Write text so that groff shows it as it is (groff(7)); a line that begins with a dot or a quote is no command."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\`").replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def main() -> None:
    """Write the pages into a folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in make_pages().items():
        (folder / name).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
