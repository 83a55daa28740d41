"""`relay init`: a few questions, and the configuration that they make, tried at the provider."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relay.cli.account_options import new_account_options
from relay.cli.configuration import config_option
from relay.cli.output import say
from relay.model.errors import RelayError

if TYPE_CHECKING:
    from relay.first_steps.answers import Answers
    from relay.settings import Settings


@click.command("init")
@config_option
@click.option("--language", type=click.Choice(["de", "en"]), help="Of questions, notices and alerts; default: $LANG.")
@click.option("--hostname", help="This machine's name.")
@click.option("--user", metavar="NAME=ADDRESS", multiple=True, help="Somebody of the office; may be repeated.")
@click.option("--name", help="The account's name; default: what stands before the @ of its address.")
@new_account_options(any_key=False)
@click.option("--archive", metavar="ADDRESS", multiple=True, help="Gets a blind copy of each sent mail.")
@click.option("--network", multiple=True, help="Who may send here; default: this machine alone.")
@click.option(
    "--listener-certificate", type=click.Choice(["make", "files", "none"]), help="With --network; default: none."
)
@click.option("--listener-certificate-file", metavar="FILE", help="With --listener-certificate files.")
@click.option("--listener-key-file", metavar="FILE", help="With --listener-certificate files.")
@click.option("--user-password-file", metavar="NAME=FILE", multiple=True, help="For mail programs to log in here.")
@click.option("--no-test", is_flag=True, help="Only write the file: nobody signs in, and nothing is tried.")
def command(config: str | None, **options: Any) -> None:  # noqa: ANN401 - of click
    """Ask a few questions, and write relay.toml with the first account: checked, and tried at the provider.

    It fills a file that has no account yet, such as the package's, or makes one. An answer that an option gives is not
    asked; without a terminal all must be there that has no default. A password is asked for, or read as a line of
    standard input; it goes into a file of its own.
    """
    from relay.admin.entering import require_hand
    from relay.cli.init_questions import ask
    from relay.cli.interview import Interview, ended_by_hand
    from relay.first_steps import end_texts, faults, filling, texts
    from relay.places import find_storage
    from relay.settings import ConfigurationError

    path = filling.choose_file(config)
    before = filling.read_fillable(path)
    require_hand(config, path.absolute(), find_storage(path) or path.absolute().parent)
    faults.require_sound(path, before)
    interview = Interview(options["language"] or _own_language())

    def rehearse(answers: "Answers") -> None:
        _rehearse(config, path, before, answers)

    try:
        with ended_by_hand(lambda: interview.language):
            answers, secret = interview.conduct(lambda: ask(interview, options, path, before, rehearse))
            settings, file = _write(config, path, before, answers, secret)
    except RelayError as error:
        say(texts.ENDED.by(interview.language), error=True)
        if isinstance(error, ConfigurationError):
            raise faults.explain(path, before, error) from None
        raise
    secret_in = end_texts.PASSWORD_IN if answers.account.oauth is None else end_texts.CLIENT_SECRET_IN
    said = secret_in.by(interview.language).format(file=file) if file else ""
    say(end_texts.WRITTEN.by(interview.language).format(path=path, secret=said))
    from relay.cli.init_end import finish

    sys.exit(finish(config, settings, answers.account, tries=not options["no_test"]))


def _own_language() -> str:
    named = next((one for key in ("LC_ALL", "LC_MESSAGES", "LANG") if (one := os.environ.get(key))), "")
    return "de" if named.lower().startswith("de") else "en"


def _rehearse(config: str | None, path: Path, before: str, answers: "Answers") -> "Settings":
    """Raise what is against the answers, though nothing is made of them yet; return what the file will say."""
    from dataclasses import replace

    from relay.cli.account_options import KEYS
    from relay.cli.configuration import require_own_hand
    from relay.cli.editing import naming_options
    from relay.cli.init_account import wants_secret
    from relay.first_steps.composing import compose
    from relay.settings import load_settings

    account = answers.account
    tried = replace(answers, account=account.with_secret_in("is asked for")) if wants_secret(account) else answers
    tried = replace(tried, certificate=None) if _is_made(answers) else tried
    with naming_options(f"account[{account.name}]", KEYS):
        settings = load_settings(path, secrets=False, written=compose(tried, before).encode())
    require_own_hand(config, settings)
    return settings


def _is_made(answers: "Answers") -> bool:
    return answers.certificate is not None and not answers.certificate.certificate


def _write(
    config: str | None, path: Path, before: str, answers: "Answers", secret: str
) -> "tuple[Settings, Path | None]":
    """Make the certificate where one is to be made, once all but the secret is found to be right; write the file.

    Returns what it says, and where the secret is.
    """
    from dataclasses import replace

    from relay.admin.proving import prove
    from relay.first_steps import filling
    from relay.first_steps.answers import CertificateAnswer
    from relay.first_steps.machine import own_names

    first = _rehearse(config, path, before, answers)
    if _is_made(answers):
        made = str(filling.certify(first, list(dict.fromkeys(own_names(first)))))
        answers = replace(answers, certificate=CertificateAnswer(certificate=made, private_key=made))
    return filling.fill(path, answers, secret, lambda content: prove(config, path, content), storage=first.folder)
