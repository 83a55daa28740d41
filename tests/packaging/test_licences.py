"""debian/copyright names the licence of all that the package has with it; what is unknown ends the build."""

import re
from collections.abc import Mapping
from importlib.metadata import Distribution, distribution
from os import PathLike
from pathlib import Path
from typing import Final

import pytest

from debian.licences import LicenceError, find_holders, find_inside, find_licence, write_copyright
from tests.peers.relay_process import ROOT

_PINNED: Final = re.compile(r"^([a-z0-9._-]+)==", re.MULTILINE)
NAMES: Final = _PINNED.findall((ROOT / "requirements" / "runtime.txt").read_text())


class Made(Distribution):
    """A distribution as a test wants it."""

    def __init__(self, metadata: str, files: Mapping[str, str]) -> None:
        self._texts = {"METADATA": f"Metadata-Version: 2.4\nName: made\nVersion: 1\n{metadata}"}
        self._texts |= {path.rpartition("/")[2]: text for path, text in files.items()}
        self._texts["RECORD"] = "".join(f"{path},,\n" for path in files)

    def read_text(self, filename: str) -> str | None:
        return self._texts.get(filename)

    def locate_file(self, path: str | PathLike[str]) -> Path:  # noqa: ARG002 - all of its files are there
        return Path(__file__)


def test_each_requirement_has_a_paragraph_with_licence_holder_and_text() -> None:
    text = write_copyright([distribution(name) for name in NAMES])
    for name in NAMES:
        (paragraph,) = [
            one for one in text.split("\n\n") if re.search(rf"^Comment: {re.escape(name)} ", one, re.MULTILINE)
        ]
        assert re.search(r"^Copyright: \S", paragraph, re.MULTILINE), name
        assert re.search(r"^License: \S.*\n \S", paragraph, re.MULTILINE), name
        assert len(find_licence(distribution(name))) < 30
    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION" not in text  # Debian has that text
    for library in ("OpenSSL", "libpq", "libuv", "libffi", "OpenLDAP", "Kerberos"):
        assert f"Comment: {library}, within " in text


def test_it_is_of_the_form_that_debian_reads() -> None:
    text = write_copyright([distribution(name) for name in NAMES])
    for paragraph in text.rstrip("\n").split("\n\n"):
        assert re.match(r"(?:Format|Files): \S", paragraph)
        for line in paragraph.split("\n"):
            assert re.match(r"(?:[A-Z][A-Za-z-]*: \S| {2,}\S| \S)", line), line


@pytest.mark.parametrize("said", ["", "License: Do what you want", "License-Expression: AGPL-3.0-only"])
def test_a_licence_that_is_missing_or_unknown_is_refused(said: str) -> None:
    with pytest.raises(LicenceError, match="made: its licence is missing or unknown"):
        find_licence(Made(said, {}))


def test_a_text_and_a_holder_must_be_there() -> None:
    licence = {"made-1.dist-info/LICENSE": "Do as the MIT License says."}
    with pytest.raises(LicenceError, match="made: has no file with its licence"):
        write_copyright([Made("License: MIT", {"made.py": ""})])
    with pytest.raises(LicenceError, match="made: nobody is named"):
        write_copyright([Made("License: MIT", licence)])
    assert "Copyright: Ada\n" in write_copyright([Made("License: MIT\nAuthor-email: Ada <a@example.org>", licence)])


@pytest.mark.parametrize(
    ("text", "holder"),
    [
        ("Copyright (c) 2015 Ada and others", "2015 Ada and others"),
        ("    © 2015 Ada", "2015 Ada"),
        ("# Copyright: 2015, Ada.", "2015, Ada."),
        ("Copyright [yyyy] [name of copyright owner]\n\nCopyright 2020 Ada", "2020 Ada"),
    ],
)
def test_holders_stand_in_the_texts(text: str, holder: str) -> None:
    assert find_holders(Made("", {}), [text]) == [holder]


def test_what_is_compiled_or_brought_along_must_be_known() -> None:
    with pytest.raises(LicenceError, match="made: has compiled modules"):
        find_inside(Made("", {"made/fast.cpython-311-x86_64-linux-gnu.so": ""}))
    psycopg = Made("", {"psycopg_binary.libs/libnew-0a1b2c3d.so.1": ""})
    psycopg._texts["METADATA"] = psycopg._texts["METADATA"].replace("made", "psycopg-binary")
    with pytest.raises(LicenceError, match=r"brings psycopg_binary.libs/libnew-0a1b2c3d\.so\.1"):
        find_inside(psycopg)
