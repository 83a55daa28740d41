"""The commands, one file a noun; a file is imported only when its command runs, so that help is there at once."""

import importlib
import sys
from typing import Any, Final

import click

from relay import __version__

COMMANDS: Final[dict[str, str]] = {
    "serve": "Run the service.",
    "status": "Say whether all is well, and what needs you; for people and for monitoring.",
    "reload": "Make the running service take over a changed relay.toml.",
    "init": "Ask a few questions, and write relay.toml with the first account.",
    "check": "Read the configuration and name every mistake.",
    "demo": "Show the whole thing at work, with a stand-in provider.",
    "explain": "Say what would become of a mail, and why; nothing is sent.",
    "queue": "List, show, run, retry, hold, release, move or delete queued mail.",
    "poll": "Collect mail from the mailboxes now.",
    "trace": "Tell the whole life of one mail.",
    "quarantine": "List, show, deliver or delete mail whose user's inbox could not be used.",
    "account": "List, add, edit, remove, test, pause or resume provider accounts.",
    "certificate": "Make a certificate of the office's own, and show how others come to trust it.",
    "report": "Write down what somebody who helps needs to know, without secrets and addresses.",
    "backup": "Copy the database, while the service runs.",
    "restore": "Take a copy of the database back.",
    "user": "List, add or remove users, or give them passwords.",
    "device": "List, add or remove scanners and programs that are known by their addresses.",
    "dovecot-config": "Print what lets Dovecot show the inboxes over IMAP.",
}


class Group(click.Group):
    """A group as click has it, which helps whoever mistypes."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. Raises click.UsageError with the nearest names."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            import difflib

            known = self.list_commands(ctx)
            near = difflib.get_close_matches(name[:80].lower(), known, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}"
            ctx.fail(f"there is no command {name[:40]!r}; {hint}")
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Give the names, in the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        command = importlib.import_module(f"relay.cli.{name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - whatever a command returns
        """Run a command: errors of ours are lines and status 1, for a user's mistake is never a traceback.

        Of a configuration each mistake is a line, and the status is 2.
        """
        from relay.cli.configuration import FAILED, MISUSED, fail
        from relay.cli.output import say
        from relay.model.errors import RelayError

        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever read has had enough: click ends without a word
        except RelayError as error:
            mistakes = getattr(error, "errors", None)  # of a ConfigurationError: to import it takes its time
            for line in mistakes or [str(error)]:
                say(line, error=True)
            sys.exit(FAILED if mistakes is None else MISUSED)
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="relay")
def main() -> None:
    """Relay the mail of a small office through its provider accounts.

    `relay demo` shows it. Begin with `relay init`, which writes a relay.toml; then run `relay serve`.
    """
