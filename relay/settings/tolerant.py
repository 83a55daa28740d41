"""Reads a configuration without its secrets, so that a backup can be restored before they are."""

import tomllib
from pathlib import Path
from typing import Final

from relay.settings.blanking import fill_blanks
from relay.settings.document import Table
from relay.settings.errors import ConfigurationError, write_findings, write_line
from relay.settings.values import Settings

_NOBODYS_HASH: Final = "$argon2id$v=19$m=65536,t=3,p=4$AAAA$AAAA"
_SOMETHING: Final = "x"


def read_places(content: bytes, path: Path) -> Settings:
    """Read settings whose secrets may be empty and whose files may be missing. They must not be used to send mail.

    Raises ConfigurationError with a line for each other error.
    """
    from relay.settings.build import build_settings  # noqa: PLC0415 - pydantic costs 60 ms
    from relay.settings.environment import find_folder  # noqa: PLC0415 - see above
    from relay.settings.validate import validate_document  # noqa: PLC0415 - see above

    try:
        document = tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except (ValueError, RecursionError):
        document = None
    if document is None:
        raise ConfigurationError([write_line(path.name, f"this is not TOML ({path})")])
    document = fill_blanks(document, _NOBODYS_HASH, _SOMETHING)
    validated = validate_document(document)
    if isinstance(validated, list):
        raise ConfigurationError(write_findings(path.name, document, validated))
    return build_settings(validated, path=path, folder=find_folder(Table(content=document), path))
