"""Mails and envelopes as strange as those of real clients, and stranger, from a random generator with a seed."""

from random import Random

from tests.oracle.offices import NOBODY, PLACES
from tests.oracle.oracle import Question, Table
from tests.oracle.spelling import ROUTE, disguise, write_field, write_list, write_mailbox, write_path

_STRANGERS = (
    "kunde@kunde.example",
    "x+y@sub.kunde.example",
    "weiss@büro.example",
    "info@strasse.example",
    "chef@kunde.example",
    "użytkownik@example.pl",
)
_CUSTOMERS = (
    "customer@example.net",
    "Zoë@example.net",
    "kunde@müller.example",
    "weiß@müller.example",
    "weiss@müller.example",
    '"two words"@example.net',
    '"at@home:x"@example.net',
    "post@[192.0.2.7]",
    "post@[IPv6:2001:db8::7]",
    "postmaster@example.net",
)
_MBOX = ("From anna@example.com Thu May 28 22:26:40 2026", "From MAILER-DAEMON", "From  x: y", "From ")
_NO_FIELDS = (
    "Hello",
    "two words: here",
    "-- ",
    "müller: x",
    ": no name",
    "From anna@example.com Thu May 28 22:26:40",
    "a(b c)",
)
_LINES = (
    "Hello,",
    "..",
    ".",
    "",
    "Bcc: hidden@example.net",
    "From: old@example.com",
    "Größe",
    " indented",
    "x" * 200,
    "a: b",
)


def make_question(random: Random, office: Table) -> Question:
    """Make a mail, its envelope, and who hands it in."""
    users = [user["name"] for user in office["user"]]
    ip = random.choice((*PLACES, NOBODY))
    return Question(
        mail=_make_mail(random, office),
        recipients=tuple(_recipients(random, office)),
        sender=random.choice(("who@cares.example", "anna@example.com", "")) if random.random() < 0.4 else "a@b.example",
        login=random.choice(users) if random.random() < 0.35 else None,
        ip=ip,
        listener=random.randrange(2),
    )


def _recipients(random: Random, office: Table) -> list[str]:
    pool = [*_CUSTOMERS, *office["archive"]["bcc"], *(account["address"] for account in office["account"])]
    paths = [write_path(random, address) for address in random.choices(pool, k=random.choice((1, 1, 2, 3, 5)))]
    if random.random() < 0.25:
        paths.append(write_path(random, random.choice(paths).removeprefix(ROUTE)))
    if random.random() < 0.1:
        paths.append(random.choice(("postmaster", "Postmaster", "POSTMASTER")))
    if random.random() < 0.06:
        paths.append(random.choice(("anna", "root")))
    random.shuffle(paths)
    return paths[random.random() < 0.02 :] or ["anna"]


class _Author:
    """Writes the fields of one mail."""

    def __init__(self, random: Random, office: Table) -> None:
        self._random = random
        accounts = [account["address"] for account in office["account"]]
        users = [text for user in office["user"] for text in (user["address"], *user["aliases"])]
        self._pools = (accounts, accounts, users, _STRANGERS)

    def address(self) -> str:
        address: str = self._random.choice(self._random.choice(self._pools))
        return address

    def addresses(self, *counts: int) -> list[str]:
        return [self.address() for _ in range(self._random.choice(counts))]

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def field(self, name: str, value: str) -> bytes:
        return write_field(self._random, name, value)

    def listing(self, name: str, *counts: int) -> bytes:
        return self.field(name, write_list(self._random, self.addresses(*counts)))

    def author(self, prefix: str = "") -> list[bytes]:
        """Write (Resent-)From, perhaps several, perhaps of no use, and perhaps (Resent-)Sender."""
        name, random = f"{prefix}From", self._random
        # Two blocks may become one, where it would depend on the disguise who decides.
        kind = random.randrange(20 if prefix else 24)
        if kind in (20, 21):
            return [self.field(name, f"{write_mailbox(random, self.address())}, {disguise(random, self.address())}")]
        if kind in (22, 23):
            fields = [self.field(name, write_mailbox(random, self.address()))]
            return [*fields, self.field(f"{prefix}Sender", disguise(random, self.address()))]
        if kind < 11:
            fields = [self.field(name, write_mailbox(random, self.address()))]
        elif kind < 14:
            fields = [self.listing(name, 1, 2, 2, 3)]
        elif kind == 14:
            fields = [self.listing(name, 1, 2), self.listing(name, 1)]
        elif kind < 17:
            useless = (
                "",
                "anna",
                "Anna <anna>",
                "<>",
                "Nobody:;",
                "(anna@example.com)",
                '"anna@example.com"',
                "Anna Schmidt",
            )
            fields = [self.field(name, random.choice(useless))]
            fields += [self.listing(name, 1)] if self.chance(0.2) else []
        elif kind == 17:
            # Latin-1 in the name says nothing about the addresses beside it.
            before = f"{write_mailbox(random, self.address())}, " if self.chance(0.5) else ""
            fields = [self.field(name, f"{before}M\udcfcller <{self.address()}>")]
        elif kind == 18:
            fields = [self.field(name, f"anna, {write_mailbox(random, self.address())}")]
        else:
            fields = []
        if self.chance(0.3):
            fields.append(self.sender(f"{prefix}Sender"))
            fields += [self.sender(f"{prefix}Sender")] if self.chance(0.08) else []
        random.shuffle(fields)
        return fields

    def sender(self, name: str) -> bytes:
        useless = ("", "anna", "Anna <anna>")
        value = self._random.choice(useless) if self.chance(0.15) else write_mailbox(self._random, self.address())
        return self.field(name, value)

    def resent_block(self) -> list[bytes]:
        """Write the fields of one block; each may be missing."""
        fields = self.author("Resent-") if self.chance(0.85) else []
        fields += [self.listing("Resent-To", 1, 2)] if self.chance(0.7) else []
        fields += [self.listing("Resent-Bcc", 0, 1)] if self.chance(0.35) else []
        fields += [self.field("Resent-Date", "Thu, 28 May 2026 20:26:40 +0000")] if self.chance(0.6) else []
        fields += [self.field("Resent-Message-ID", "<again@example.com>")] if self.chance(0.3) else []
        fields += [self.listing("Resent-Reply-To", 1)] if self.chance(0.05) else []
        self._random.shuffle(fields)
        return fields or [self.listing("Resent-Bcc", 0, 1)]

    def resent(self) -> list[bytes]:
        """Write blocks, with or without something between them."""
        fields = self.resent_block()
        for _ in range(self._random.choice((0, 0, 0, 1, 2))):
            fields += self._random.choice(
                (
                    [self.field("Received", "from a by b; Thu, 28 May 2026 20:26:40 +0000")],
                    [self.listing("Bcc", 1)],
                    [self.field("Return-Path", "<x@y.example>")],
                    [self.field("X-Between", "blocks")],
                    [],
                )
            )
            fields += self.resent_block()
        return fields

    def others(self) -> list[bytes]:
        """Write the fields that name no author."""
        fields = [self.listing("To", 1, 2), self.field("Subject", "Größe (a@b.example)")]
        fields += [self.field("Date", "Thu, 28 May 2026 22:26:40 +0200")] if self.chance(0.7) else []
        fields += [self.field("Message-ID", "<one@example.com>")] if self.chance(0.7) else []
        fields += [self.listing("Bcc", 0, 1, 2, 4)] if self.chance(0.3) else []
        fields += [self.listing("Cc", 1, 3)] if self.chance(0.2) else []
        fields += [self.field("Return-Path", "<x@y.example>")] if self.chance(0.1) else []
        fields += [self.field("Received", "from a by b; Thu, 28 May 2026 20:26:40 +0000")] if self.chance(0.1) else []
        fields += [self.field("X-Bcc", "x\r\n Bcc: y\r\n\tFrom: z")] if self.chance(0.1) else []
        for chance in (0.25, 0.03):
            if self.chance(chance):
                fields.append(self.field("Reply-To", "") if self.chance(0.3) else self.listing("Reply-To", 1, 2))
        if self.chance(0.06):
            signed = self._random.choice(("from:to:subject", "Subject: From", "date:\r\n from"))
            fields.append(self.field("DKIM-Signature", f"v=1; a=rsa-sha256; h={signed}; d=example.com; s=a; b=AAAA"))
        return fields


def _make_mail(random: Random, office: Table) -> bytes:
    if random.random() < 0.005:
        return b""
    author = _Author(random, office)
    fields = [*author.author(), *author.others()]
    if random.random() < 0.3:
        random.shuffle(fields)
    if random.random() < 0.25:
        at = 0 if random.random() < 0.8 else random.randint(0, len(fields))
        fields[at:at] = author.resent()
    lines = [line.encode() + b"\r\n" for line in random.choices(_LINES, k=random.choice((0, 1, 3, 6)))]
    if random.random() < 0.05:
        fields = [field.replace(b"\r\n", random.choice((b"\n", b"\r", b"\r\n"))) for field in fields]
    if random.random() < 0.8:
        return b"".join([*fields, *([b"\r\n", *lines] if random.random() < 0.97 else [])])
    return _break(random, author, fields, lines)


def _break(random: Random, author: _Author, fields: list[bytes], lines: list[bytes]) -> bytes:
    """Give a mail whose header does not begin or end as it should."""
    kind = random.randrange(8)
    bad = [f"{random.choice(_NO_FIELDS)}\r\n".encode()]
    mbox = [f"{random.choice(_MBOX)}\r\n".encode()]
    if kind < 2:
        parts = [mbox, fields, [b"\r\n"], lines]
    elif kind == 2:
        parts = [mbox, random.choice((mbox, [b"\r\n"], bad)), fields, [b"\r\n"], lines]
    elif kind == 3:
        parts = [[f"From : {write_mailbox(random, author.address())}\r\n".encode()], author.others(), [b"\r\n"], lines]
    elif kind == 4:
        parts = [random.choice((bad, [b"\r\n"], [b" \r\n"], [b"\tfolded\r\n"])), fields, [b"\r\n"], lines]
    elif kind == 5:
        parts = [fields, bad, lines]
    elif kind == 6:
        parts = [fields, bad, [b"\r\n"], lines, author.others()]
    else:
        at = random.randint(1, len(fields))
        parts = [fields[:at], bad, fields[at:], [b"\r\n"], lines]
    return b"".join(line for part in parts for line in part)
