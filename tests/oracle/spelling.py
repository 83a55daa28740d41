"""One address in its many spellings, alone and as part of a field: what other people's programs write."""

import base64
import unicodedata
from random import Random

_NAMES = (
    "Anna",
    "Anna Schmidt",
    '"Schmidt, Anna"',
    '"Anna \\"sales@example.com\\" <old@example.com>"',
    '"sales@example.com"',
    "=?utf-8?q?J=C3=BCrgen_M=C3=BCller?=",
    "=?UTF-8?B?" + base64.b64encode("Büro, Köln".encode()).decode() + "?=",
    "=?iso-8859-1?q?M=FCller?= =?utf-8?q?_und_S=C3=B6hne?=",
    "=?utf-8?q?=3Cold=40example=2Ecom=3E=2C?=",
    '"=?utf-8?q?quoted?="',
    "Jürgen Müller",
    "John Q. Public",
    "Anna (sales@example.com)",
    "Anna\r\n Schmidt",
    "=?utf-8?q?Anna=0D=0ABcc=3A_x=40y=2Eexample?=",
)
_COMMENTS = ("(Anna)", "(sales@example.com)", "(a (nested <old@example.com>) \\) one,)", "(Büro: x;)")

ROUTE = "@relay.example,@other.example:"
"""A source route, which is not to be followed (RFC 5321 appendix C)."""


def respell(random: Random, address: str) -> str:
    """Write an address in another way that is equal to it."""
    local, _, domain = address.rpartition("@")
    changes = random.choices(("none", "upper", "title", "nfd", "nfc", "domain"), k=random.choice((0, 1, 1, 2)))
    for change in changes:
        if change == "upper":
            local, domain = _capitals(local), _capitals(domain)
        elif change == "title":
            local = local[:1].upper() + local[1:]
        elif change == "nfd":
            local = unicodedata.normalize("NFD", local)
        elif change == "nfc":
            local = unicodedata.normalize("NFC", local)
        elif change == "domain":
            domain = _other_form(domain)
    return f"{local}@{domain}"


def _capitals(text: str) -> str:
    """Write in capitals; those of ß would be two letters, and so another address."""
    return "".join(sign.upper() if len(sign.upper()) == 1 else sign for sign in text)


def _other_form(domain: str) -> str:
    return (
        domain.lower().replace("büro", "xn--bro-hoa")
        if not domain.isascii()
        else domain.lower().replace("xn--bro-hoa", "büro")
    )


def write_path(random: Random, address: str) -> str:
    """Write an address as a path of the envelope."""
    local, _, domain = respell(random, address).rpartition("@")
    if random.random() < 0.06 and not local.startswith('"'):
        local = f'"{local}"'
    route = ROUTE if random.random() < 0.03 else ""
    return f"{route}{local}@{domain}"


def write_spec(random: Random, address: str) -> str:
    """Write an address as it may stand in a header, with the blanks and comments that the grammar allows there."""
    local, _, domain = respell(random, address).rpartition("@")
    kind = random.randrange(20)
    if kind == 0:
        return f'"{local}"@{domain}'
    if kind == 1:
        return f"{local} @ {domain.replace('.', ' . ')}"
    if kind == 2:
        return f"{local}{random.choice(_COMMENTS)}@{random.choice(_COMMENTS)}{domain}"
    if kind == 3:
        return f"{local}@\r\n\t{domain}"
    return f"{local}@{domain}"


def write_mailbox(random: Random, address: str) -> str:
    """Write an address as a member of a list."""
    spec = write_spec(random, address)
    kind = random.randrange(10)
    if kind < 2:
        return spec
    if kind < 4:
        return f"<{spec}>"
    if kind == 4:
        return f"{spec} {random.choice(_COMMENTS)}"
    if kind == 5:
        return f"{random.choice(_NAMES)} <{ROUTE}{spec}>"
    return f"{random.choice(_NAMES)}{random.choice((' ', '', chr(13) + chr(10) + ' '))}<{spec}>"


def disguise(random: Random, address: str) -> str:
    """Write an address so that many programs still read it, and others something else or nothing."""
    local, _, domain = unicodedata.normalize("NFC", respell(random, address)).rpartition("@")
    split = random.randint(1, len(domain) - 1)
    return random.choice(
        (
            f"=?utf-8?q?{_quoted_printable(local)}?=@{domain}",
            f"=?utf-8?b?{base64.b64encode(local.encode()).decode()}?= @ {domain}",
            f"{local}@=?utf-8?q?{_quoted_printable(domain)}?=",
            f"\x00{local}@{domain}",
            f"{local[:1]}\x00{local[1:]}@{domain}",
            f"{local}\x7f@{domain}",
            f"Anna <\x01{local}@{domain}>",
            f"'{local}@{domain}'",
            f"{{{local}@{domain}}}",
            f"{local}\\@{domain}",
            f"{local[:1]}\\{local[1:]}@{domain}",
            f"{local}@{domain[:split]}\r\n {domain[split:]}",
            f"{local}@@{domain}",
            f"{local}@{domain.replace('.', '..')}",
            f"\u00a0{local}@{domain}",
            f"\u200b{local}@{domain}",
            f"\ufeff<{local}@\u00a0{domain}>",
            f'"x\\" <{local}@{domain}> \\"',
            f"<> {local}@{domain}",
            f"(Anna {local}@{domain}",
        )
    )


def _quoted_printable(text: str) -> str:
    return "".join(f"={octet:02X}" for octet in text.encode())


def write_list(random: Random, addresses: list[str]) -> str:
    """Write a list of addresses, perhaps with groups and with members that are empty."""
    written = [write_mailbox(random, address) for address in addresses]
    kind = random.randrange(14)
    if kind == 0 and written:
        return f"Team (a: b;) : {', '.join(written)};"
    if kind == 1:
        return ", ".join(["Nobody:;", *written])
    if kind == 2:
        return f", {' , , '.join(written)},"
    return random.choice((", ", ",", ",\r\n ", " ,\r\n\t")).join(written)


def write_field(random: Random, name: str, value: str) -> bytes:
    """Write a field, its name in some case, with or without blanks around the colon."""
    name = random.choice((name, name, name, name.lower(), name.upper()))
    before = random.choice(("",) * 9 + (" ", "\t", "  "))
    behind = random.choice((" ",) * 7 + ("", "  ", "\r\n "))
    if not value and "\n" in behind:
        behind = " "
    tail = random.choice(("",) * 12 + (" ", "\r\n "))
    return f"{name}{before}:{behind}{value}{tail}\r\n".encode("utf-8", "surrogateescape")
