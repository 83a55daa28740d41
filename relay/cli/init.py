"""`relay init`: a few questions, and the configuration that they make, tried at the provider."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from relay.cli.configuration import FAILED, config_option
from relay.cli.output import say
from relay.model.errors import RelayError

if TYPE_CHECKING:
    from relay.first_steps.answers import Answers
    from relay.settings import Settings

_Function = TypeVar("_Function", bound=Callable[..., object])
_ISSUERS: Final = ("microsoft", "google", "custom")
_OPTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("--language", {"type": click.Choice(["de", "en"]), "help": "Of questions, notices and alerts; default: $LANG."}),
    ("--hostname", {"help": "This machine's name."}),
    ("--user", {"metavar": "NAME=ADDRESS", "multiple": True, "help": "Somebody of the office; may be repeated."}),
    ("--address", {"help": "The address whose mailbox is used."}),
    ("--name", {"help": "The account's name; default: what stands before the @."}),
    ("--owner", {"help": "The user who gets its mail; default: whose address it is."}),
    ("--preset", {"metavar": "PROVIDER", "help": "The provider, such as ionos; default: it is looked for."}),
    ("--ask-thunderbird/--no-ask-thunderbird", {"default": None, "help": "Also look in Thunderbird's database."}),
    ("--smtp-host", {"help": "The server that sends, where no preset names it."}),
    ("--smtp-port", {"help": "Default: 587."}),
    ("--smtp-security", {"type": click.Choice(["tls", "starttls", "none"]), "help": "Default: as the port says."}),
    ("--smtp-username", {"help": "Default: the address."}),
    ("--collect/--no-collect", {"default": None, "help": "Whether mail is collected; default: where possible."}),
    ("--pop3-host", {"help": "The server whose mailbox is collected, where no preset names it."}),
    ("--pop3-port", {"help": "Default: 995."}),
    ("--pop3-security", {"type": click.Choice(["tls", "starttls", "none"]), "help": "Default: tls."}),
    ("--pop3-username", {"help": "Default: as for sending."}),
    ("--ca-file", {"metavar": "FILE", "help": "The authority of the provider's certificates, if its own."}),
    ("--password-file", {"metavar": "FILE", "help": "Has the password, and stays; default: it is read, and kept."}),
    ("--oauth", {"type": click.Choice(_ISSUERS), "help": "Sign in there, in place of a password."}),
    ("--flow", {"metavar": "FLOW", "help": "How somebody signs in: device, browser or app."}),
    ("--client-id", {"help": "The registration at the provider."}),
    ("--client-secret-file", {"metavar": "FILE", "help": "Has its client secret, and stays; default: it is read."}),
    ("--secret-expires", {"metavar": "DAY", "help": "The day on which that secret ends, such as 2027-06-30."}),
    ("--tenant", {"help": "Microsoft: the organisation's domain or id."}),
    ("--sign-in-as", {"metavar": "ADDRESS", "help": "Who signs in; default: the account's address."}),
    ("--certificate", {"metavar": "FILE", "help": "In place of a client secret; with --private-key."}),
    ("--private-key", {"metavar": "FILE", "help": "The key of it, or of Google's service account."}),
    ("--token-url", {"help": "Of a custom provider; so are --device-url, --authorize-url and --scope."}),
    ("--device-url", {"help": "See --token-url."}),
    ("--authorize-url", {"help": "See --token-url."}),
    ("--scope", {"multiple": True, "help": "See --token-url; may be repeated."}),
    ("--archive", {"metavar": "ADDRESS", "multiple": True, "help": "Gets a blind copy of each sent mail."}),
    ("--network", {"multiple": True, "help": "Who may send here; default: this machine alone."}),
    ("--listener-certificate", {"type": click.Choice(["make", "files", "none"]), "help": "With --network; or none."}),
    ("--listener-certificate-file", {"metavar": "FILE", "help": "With --listener-certificate files."}),
    ("--listener-key-file", {"metavar": "FILE", "help": "With --listener-certificate files."}),
    ("--user-password-file", {"metavar": "NAME=FILE", "multiple": True, "help": "For mail programs to log in here."}),
    ("--no-test", {"is_flag": True, "help": "Only write the file: nobody signs in, and nothing is tried."}),
)  # fmt: skip


def _all_options(function: _Function) -> _Function:
    for name, how in reversed(_OPTIONS):
        function = click.option(name, **how)(function)
    return function


@click.command("init")
@config_option
@_all_options
def command(config: str | None, **options: Any) -> None:  # noqa: ANN401 - of click
    """Ask a few questions, and write relay.toml with the first account: checked, and tried at the provider.

    It fills a file that has no account yet, such as the package's, or makes one. An answer that an option gives is not
    asked; without a terminal all must be there that has no default. A password is asked for, or read as a line of
    standard input; it goes into a file of its own.
    """
    from relay.admin.entering import require_hand
    from relay.cli.init_questions import ask
    from relay.cli.interview import Interview
    from relay.first_steps import faults, filling, texts
    from relay.places import find_storage
    from relay.settings import ConfigurationError

    path = filling.choose_file(config)
    before = filling.read_fillable(path)
    require_hand(config, path.absolute(), find_storage(path) or path.absolute().parent)
    faults.require_sound(path, before)
    interview = Interview(options["language"] or _own_language())
    try:
        answers, secret = ask(interview, options, path, before)
        settings, file = _write(config, path, before, answers, secret)
    except RelayError as error:
        say(texts.ENDED.by(interview.language), error=True)
        if isinstance(error, ConfigurationError):
            raise faults.explain(path, before, error) from None
        raise
    except (click.Abort, KeyboardInterrupt):
        say()
        say(texts.ENDED.by(interview.language), error=True)
        sys.exit(FAILED)
    secret_in = texts.PASSWORD_IN if answers.account.oauth is None else texts.CLIENT_SECRET_IN
    said = secret_in.by(interview.language).format(file=file) if file else ""
    say(texts.WRITTEN.by(interview.language).format(path=path, secret=said))
    from relay.cli.init_end import finish

    sys.exit(finish(config, settings, answers.account, tries=not options["no_test"]))


def _own_language() -> str:
    named = next((one for key in ("LC_ALL", "LC_MESSAGES", "LANG") if (one := os.environ.get(key))), "")
    return "de" if named.lower().startswith("de") else "en"


def _write(
    config: str | None, path: Path, before: str, answers: "Answers", secret: str
) -> "tuple[Settings, Path | None]":
    """Check all but the secret, make the certificate where one is to be made, then write the file.

    Returns what it says, and where the secret is. Nothing is made before the rest is found to be right.
    """
    from dataclasses import replace

    from relay.admin.proving import prove
    from relay.cli.configuration import require_own_hand
    from relay.editing.secret_files import FOLDER as SECRETS
    from relay.first_steps import filling
    from relay.first_steps.answers import CertificateAnswer
    from relay.first_steps.composing import compose
    from relay.first_steps.machine import own_names
    from relay.settings import load_settings

    is_made = answers.certificate is not None and not answers.certificate.certificate
    tried = replace(answers, certificate=None) if is_made else answers
    if secret:
        tried = replace(tried, account=tried.account.with_secret_in(f"{SECRETS}/{tried.account.name}"))
    first = load_settings(path, secrets=False, written=compose(tried, before).encode())
    require_own_hand(config, first)
    if is_made:
        made = str(filling.certify(first, list(dict.fromkeys(own_names(first)))))
        answers = replace(answers, certificate=CertificateAnswer(certificate=made, private_key=made))
    return filling.fill(path, answers, secret, lambda content: prove(config, path, content), storage=first.folder)
