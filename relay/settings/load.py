"""Finds the configuration, reads it, and returns the settings or raises all errors at once."""

import os
import tomllib
from dataclasses import replace
from pathlib import Path

from relay import places
from relay.settings.blanking import drop_blanks
from relay.settings.document import Table, read_document
from relay.settings.errors import ConfigurationError, write_findings, write_line
from relay.settings.login_sources import STRICT, Lenience, find_login_sources
from relay.settings.values import Settings


def find_configuration(option: str | None) -> Path:
    """Return the file to use, as `find_file` does. Raises ConfigurationError if none was named or found."""
    if (found := places.find_file(option)) is not None:
        return found
    here, system = places.PLACES
    looked = (
        f"there is no configuration: no ./{here}, no {system}, and neither -c nor ${places.VARIABLE} names another."
        " Go to the folder that has it, or name it: -c FILE. Is there none yet? relay init makes one"
    )
    raise ConfigurationError([write_line(here.name, looked)])


def load_settings(
    path: Path, *, secrets: bool = True, written: bytes | None = None, lenience: Lenience = STRICT
) -> Settings:
    """Load a configuration. Raises ConfigurationError with a line for each error.

    Without `secrets`, passwords, their files and variables need not be there: for commands that log in nowhere.
    `written`: what is to stand in the file, in place of what does, so that it can be checked before. `lenience`: what
    of that by which accounts and users log in may be missing, with a warning.
    """
    document, digest = read_document(path, written)
    # pydantic costs 60 ms, which --help and a missing file need not wait for.
    from relay.settings.build import build_settings  # noqa: PLC0415 - see above
    from relay.settings.checks import check_document  # noqa: PLC0415 - see above
    from relay.settings.environment import check_environment, find_folder  # noqa: PLC0415 - see above
    from relay.settings.presets import check_presets, fill_in  # noqa: PLC0415 - see above
    from relay.settings.user_passwords import check_passwords, without_blank  # noqa: PLC0415 - see above
    from relay.settings.validate import validate_document  # noqa: PLC0415 - see above
    from relay.settings.warnings import find_warnings  # noqa: PLC0415 - see above

    document = fill_in(document)
    root = Table(content=document)
    validated = validate_document(without_blank(document))
    findings = [
        *check_document(root, lenience),
        *check_passwords(root, lenience),
        *check_presets(root),
        *check_environment(root, path, os.environ, secrets=secrets, lenience=lenience),
    ]
    errors = [finding for finding in findings if not finding.warning]
    if isinstance(validated, list):
        told = {finding.place for finding in errors}  # what is missing is told with where to find it, and once
        missing = [one for one in validated if one.place in told and one.reason.startswith("missing")]
        errors = [*(one for one in validated if one not in missing), *errors]
    if errors or isinstance(validated, list):
        raise ConfigurationError(write_findings(path.name, document, errors))
    folder = find_folder(root, path)
    settings = build_settings(validated, path=path, folder=folder)
    sources = frozenset(find_login_sources(root, folder))
    warnings = write_findings(path.name, document, [*findings, *find_warnings(settings)])
    return replace(settings, digest=digest, warnings=warnings, login_sources=sources)


def read_places(content: bytes, path: Path) -> Settings:
    """Read settings whose secrets may be empty and whose files may be missing, so that a backup can be restored.

    They must not be used to send mail. Raises ConfigurationError with a line for each other error.
    """
    from relay.settings.build import build_settings  # noqa: PLC0415 - pydantic costs 60 ms
    from relay.settings.environment import find_folder  # noqa: PLC0415 - see above
    from relay.settings.presets import fill_in  # noqa: PLC0415 - see above
    from relay.settings.validate import validate_document  # noqa: PLC0415 - see above

    try:
        document = tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except (ValueError, RecursionError):
        document = None
    if document is None:
        raise ConfigurationError([write_line(path.name, f"this is not TOML ({path})")])
    document = fill_in(drop_blanks(document))
    validated = validate_document(document)
    if isinstance(validated, list):
        raise ConfigurationError(write_findings(path.name, document, validated))
    return build_settings(validated, path=path, folder=find_folder(Table(content=document), path))
