"""Reads the autoconfig file of a provider (draft-ietf-mailmaint-autoconfig), which a stranger wrote.

Guarantee: time and memory are bounded by `LARGEST` octets; a document type, an entity, a processing instruction, too
many or too deeply nested elements end it; what remains of it are host names and ports that may be shown to a person.
"""

from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from relay.model.account import Security
from relay.model.address import ascii_domain
from relay.presets.preset import Login, WordedError
from relay.presets.public import is_public_name

LARGEST: Final = 65_536
"""Octets; a larger file is refused."""
_DEEPEST: Final = 16
_MOST_ELEMENTS: Final = 2_000
_LONGEST_TEXT: Final = 500
PORTS: Final = {"smtp": (25, 465, 587), "pop3": (110, 995), "imap": (143, 993)}
_KINDS: Final = {"incomingServer": ("pop3", "imap"), "outgoingServer": ("smtp",)}
"""The elements that are servers, and the types that each may have."""
_SECURITY: Final = {"SSL": Security.TLS, "STARTTLS": Security.STARTTLS}
_LOGINS: Final = {"%EMAILADDRESS%": Login.ADDRESS, "%EMAILLOCALPART%": Login.LOCAL_PART}
_METHODS: Final = frozenset({"password-cleartext", "plain", "password-encrypted", "secure"})
"""`OAuth2` is not among them: where to get a token is never taken from such a file, only from our own presets."""


class AutoconfigError(WordedError):
    """The file can't be used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One server of such a file: over TLS, with a password, and of a public name."""

    kind: str
    """smtp, pop3 or imap."""
    host: str
    """As A-labels, in lower case."""
    port: int
    security: Security
    login: Login


def read_autoconfig(content: bytes, domain: str) -> tuple[Offer, ...]:
    """Return the servers of a file, the first acceptable one of each kind, for a domain that it must name itself.

    Raises AutoconfigError if the file is none, is for other domains, or offers nothing that is acceptable.
    """
    reader = _Reader()
    reader.read(content)
    if domain not in reader.domains:
        raise AutoconfigError("the file is for other domains", "die Datei ist für andere Domains")
    offers: dict[str, Offer] = {}
    for kind, server in reader.servers:
        if (offer := _accept(kind, server)) is not None:
            offers.setdefault(kind, offer)
    if not offers:
        raise AutoconfigError(
            "the file offers no server with TLS and a password under a public name",
            "die Datei nennt keinen Server mit TLS und Passwort unter einem öffentlichen Namen",
        )
    return tuple(offers.values())


def _accept(kind: str, server: dict[str, list[str]]) -> Offer | None:
    host = ascii_domain(_only(server, "hostname"))
    security = _SECURITY.get(_only(server, "socketType"))
    login = _LOGINS.get(_only(server, "username"))
    port = next((port for port in PORTS.get(kind, ()) if str(port) == _only(server, "port")), None)
    if port is None or security is None or login is None or _METHODS.isdisjoint(server.get("authentication", ())):
        return None
    return Offer(kind=kind, host=host, port=port, security=security, login=login) if is_public_name(host) else None


def _only(server: dict[str, list[str]], key: str) -> str:
    texts = server.get(key, [])
    return texts[0] if len(texts) == 1 else ""


class _Reader:
    """Collects the few elements that count, while expat reads."""

    def __init__(self) -> None:
        self.domains: set[str] = set()
        self.servers: list[tuple[str, dict[str, list[str]]]] = []
        self._path: list[str] = []
        self._elements = 0
        self._text: list[str] = []
        self._length = 0

    def read(self, content: bytes) -> None:
        """Read a file. Raises AutoconfigError."""
        if len(content) > LARGEST:
            raise AutoconfigError("the file is larger than 64 KiB", "die Datei ist größer als 64 KiB")
        parser = expat.ParserCreate(encoding="utf-8")  # whatever the file declares: no other decoder is reached
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.ProcessingInstructionHandler = _refuse
        try:
            parser.Parse(content, True)  # noqa: FBT003 - as expat has it
        except expat.ExpatError:
            raise AutoconfigError("the file is no XML", "die Datei ist kein XML") from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._path.append(name)
        self._text, self._length = [], 0
        if len(self._path) > _DEEPEST or self._elements > _MOST_ELEMENTS:
            raise AutoconfigError("the file has too many elements", "die Datei hat zu viele Elemente")
        if len(self._path) == 1 and (name != "clientConfig" or attributes.get("version") != "1.1"):
            raise AutoconfigError(
                "the file is no autoconfig of version 1.1", "die Datei ist keine Autoconfig-Datei der Version 1.1"
            )
        if self._path[:2] == ["clientConfig", "emailProvider"] and len(self._path) == 3 and name in _KINDS:
            kind = attributes.get("type", "")
            self.servers.append((kind if kind in _KINDS[name] else "", {}))

    def _end(self, name: str) -> None:
        text = "".join(self._text).strip()
        match self._path:
            case ["clientConfig", "emailProvider", "domain"]:
                self.domains.add(ascii_domain(text))
            case ["clientConfig", "emailProvider", "incomingServer" | "outgoingServer", _]:
                self.servers[-1][1].setdefault(name, []).append(text)
        self._path.pop()
        self._text, self._length = [], 0

    def _data(self, text: str) -> None:
        self._length += len(text)
        if self._length <= _LONGEST_TEXT:
            self._text.append(text)
        else:
            self._text = []  # longer than any value that counts


def _refuse(*_: object) -> None:
    raise AutoconfigError(
        "the file has what no autoconfig needs: a document type, an entity or an instruction",
        "die Datei enthält, was dort nicht hingehört",
    )
