"""debian/copyright of the package: our own licence, and those of all that its virtual environment brings along.

What the wheels say of themselves is taken from their metadata and licence files; what lies inside of their compiled
modules they don't say, so that it stands here. Guarantee: whatever is missing or unknown is a `LicenceError`, which
ends the build; a new dependency is looked at by a person once.

Source: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
"""

import email.utils
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

_HEAD: Final = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: lan-mail-relay
Comment: Made at the build from the metadata and licence files of the wheels that the package has with it.
"""
_OURS: Final = "lan-mail-relay"
_SITE: Final = "usr/lib/lan-mail-relay/lib/python3.*/site-packages"
_TEXTS: Final = Path(__file__).parent / "texts"
_BY_OTHER_NAMES: Final = {
    "MIT License": "MIT",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
}
_KNOWN: Final = frozenset(
    {"MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "PSF-2.0", "LGPL-3.0-only", "MIT OR Apache-2.0"}
    | {"Apache-2.0 OR BSD-3-Clause", "ISC"}
)
_ON_DEBIAN: Final = {"Apache License": "Apache-2.0", "GNU LESSER GENERAL PUBLIC LICENSE": "LGPL-3"}
"""By how a text begins: licences whose text each Debian has, which a package refers to."""
_FILE: Final = re.compile(r"(?:^|/)(?:LICEN[CS]E|COPYING|NOTICE)[^/]*$", re.IGNORECASE)
_HOLDER: Final = re.compile(
    r"^.*?(?:copyright|\(c\)|©)[ :]+(?:\(c\)|©)? *((?=.*\d{4}).+?)\s*$", re.IGNORECASE | re.MULTILINE
)
_NO_HOLDER: Final = re.compile(r",$|Free Software Foundation|[\[{]yyyy|notice|Stichting|CNRI|BeOpen", re.IGNORECASE)


class LicenceError(Exception):
    """A licence, or who holds the rights, is missing or unknown."""


@dataclass(frozen=True, slots=True)
class Inside:
    """Somebody else's library within a wheel."""

    name: str
    holders: tuple[str, ...]
    licence: str
    text: str | None
    """Its file in debian/texts, or None where Debian has the text (`licence` is its name there)."""


_LIBRARIES: Final = {
    "libpq": Inside("libpq", ("PostgreSQL Global Development Group",), "PostgreSQL", "PostgreSQL"),
    "libssl": Inside("OpenSSL", ("The OpenSSL Project Authors",), "Apache-2.0", None),
    "libldap": Inside("OpenLDAP", ("1998-2024 The OpenLDAP Foundation",), "OLDAP-2.8", "OpenLDAP"),
    "libsasl2": Inside("Cyrus SASL", ("1998-2003 Carnegie Mellon University",), "BSD-4-Clause", "Cyrus-SASL"),
    "libkrb5": Inside("Kerberos", ("1985-2024 Massachusetts Institute of Technology",), "BSD-2-Clause", "krb5"),
    "libcom_err": Inside("libcom_err", ("1987-1988 Student Information Processing Board of the MIT",), "MIT", "MIT"),
    "libkeyutils": Inside("keyutils", ("2005-2014 Red Hat, Inc.",), "LGPL-2.1", None),
    "libcrypt": Inside("libxcrypt", ("The authors of libxcrypt and of glibc",), "LGPL-2.1", None),
}
_SAME_AS: Final = {
    "libcrypto": "libssl",
    "liblber": "libldap",
    "libgssapi_krb5": "libkrb5",
    "libk5crypto": "libkrb5",
    "libkrb5support": "libkrb5",
}
"""Files that come from a library of another name."""
_COMPILED_IN: Final = {
    "argon2-cffi-bindings": (Inside("Argon2", ("2015 Daniel Dinu and others",), "Apache-2.0", None),),
    "cffi": (Inside("libffi", ("1996-2024 Anthony Green, Red Hat, Inc. and others",), "MIT", "MIT"),),
    "cryptography": (
        Inside("OpenSSL", ("The OpenSSL Project Authors",), "Apache-2.0", None),
        Inside("Rust crates", ("Their authors, as its Cargo.lock names them",), "MIT", "MIT"),
    ),
    "markupsafe": (),
    "psycopg-binary": (),
    "pydantic-core": (Inside("Rust crates", ("Their authors, as its Cargo.lock names them",), "MIT", "MIT"),),
    "sqlalchemy": (),
    "uvloop": (Inside("libuv", ("2015-present libuv project contributors",), "MIT", "MIT"),),
}
"""What is linked into the compiled modules of a wheel; each wheel that has such modules is named."""


def write_copyright(installed: Iterable[Distribution]) -> str:
    """Give the whole file for these distributions. Raises LicenceError."""
    paragraphs = [
        _HEAD,
        _paragraph("*", ["2026 The LAN mail relay project"], "Apache-2.0", "", [_pointer("Apache-2.0")]),
    ]
    for distribution in sorted(installed, key=_name):
        if _name(distribution) != _OURS:
            paragraphs.append(_describe(distribution))
            paragraphs += [_describe_inside(_name(distribution), inside) for inside in find_inside(distribution)]
    return "\n".join(paragraphs)


def find_licence(distribution: Distribution) -> str:
    """Give the licence that a distribution says it has, as an SPDX expression. Raises LicenceError."""
    for said in (
        value for key in ("License-Expression", "License", "Classifier") for value in _values(distribution, key)
    ):
        licence = _BY_OTHER_NAMES.get(said, said)
        if licence in _KNOWN:
            return licence
    raise LicenceError(f"{_name(distribution)}: its licence is missing or unknown: look at it, then add it to _KNOWN")


def find_holders(distribution: Distribution, texts: Iterable[str]) -> list[str]:
    """Give who holds the rights, by the licence texts, else by the metadata. Raises LicenceError."""
    found = [match[1] for text in texts for match in _HOLDER.finditer(text) if not _NO_HOLDER.search(match[0])]
    if not found:
        found = [*_values(distribution, "Author"), *_values(distribution, "Maintainer")]
        fields = [*_values(distribution, "Author-email"), *_values(distribution, "Maintainer-email")]
        found += [name for name, _ in email.utils.getaddresses(fields) if name]
    if not found:
        raise LicenceError(f"{_name(distribution)}: nobody is named who holds the rights")
    return list(dict.fromkeys(found))


def find_inside(distribution: Distribution) -> list[Inside]:
    """Give the libraries of others within a distribution's compiled modules, and beside them. Raises LicenceError."""
    name = _name(distribution)
    files = [str(file) for file in distribution.files or ()]
    compiled = [file for file in files if re.search(r"\.so(?:\.|$)", file)]
    if compiled and name not in _COMPILED_IN:
        raise LicenceError(f"{name}: has compiled modules: say in _COMPILED_IN what is linked into them")
    found = list(_COMPILED_IN.get(name, ()))
    for file in compiled:
        if ".libs/" in file:
            library = file.rpartition("/")[2].partition(".so")[0].rpartition("-")[0]
            inside = _LIBRARIES.get(_SAME_AS.get(library, library))
            if inside is None:
                raise LicenceError(f"{name}: brings {file}: say in _LIBRARIES whose that is")
            if inside not in found:
                found.append(inside)
    return found


def _describe(distribution: Distribution) -> str:
    name, files = _name(distribution), [str(file) for file in distribution.files or ()]
    texts = [
        distribution.read_text(file.partition(".dist-info/")[2])
        for file in sorted(files)
        if ".dist-info/" in file and _FILE.search(file)
    ]
    given = [text for text in texts if text]
    if not given:
        raise LicenceError(f"{name}: has no file with its licence")
    # Where it lies: what stands at the head of its files' paths.
    heads = sorted({head for file in files if (head := file.partition("/")[0]) not in {"..", "__pycache__"}})
    where = "\n       ".join(f"{_SITE}/{head}{'' if head.endswith('.py') else '/*'}" for head in heads)
    comment = f"{name} {distribution.version}"
    return _paragraph(
        where, find_holders(distribution, given), find_licence(distribution), comment, map(_shorten, given)
    )


def _describe_inside(name: str, inside: Inside) -> str:
    text = _pointer(inside.licence) if inside.text is None else (_TEXTS / inside.text).read_text()
    where = f"{_SITE}/{name.replace('-', '_')}*/*"
    return _paragraph(where, inside.holders, inside.licence, f"{inside.name}, within {name}", [text])


def _paragraph(files: str, holders: Iterable[str], licence: str, comment: str, texts: Iterable[str]) -> str:
    lines = [f"Files: {files}", "Copyright: " + "\n           ".join(holders)]
    lines += [f"Comment: {comment}"] if comment else []
    lines.append(f"License: {licence.replace(' OR ', ' or ')}")
    for line in "\n\n".join(text.strip() for text in texts).splitlines():
        lines.append(f" {line.rstrip()}" if line.strip() else " .")
    return "\n".join(lines) + "\n"


def _shorten(text: str) -> str:
    """Refer to Debian's copy of a long text, from where that begins."""
    before: list[str] = []
    for line in text.splitlines()[:10]:
        if line.strip() in _ON_DEBIAN:
            return "\n".join((*before, _pointer(_ON_DEBIAN[line.strip()])))
        before.append(line)
    return text


def _pointer(name: str) -> str:
    return f"The whole text is in /usr/share/common-licenses/{name} on each Debian."


def _name(distribution: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()


def _values(distribution: Distribution, key: str) -> list[str]:
    return distribution.metadata.get_all(key) or []


def main() -> None:
    """Print the file for the distributions of a folder (site-packages)."""
    try:
        print(write_copyright(distributions(path=[sys.argv[1]])), end="")
    except LicenceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
