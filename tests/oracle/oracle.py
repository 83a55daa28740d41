"""What must become of a mail by the account rules: a second implementation, written from the rules alone.

It shares nothing with the product's code but the text of the rules, so that a difference shows a fault of one of them.
It is as plain as it can be, and knows nothing of speed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Any

from tests.oracle.grammar import key_of, read_mailboxes
from tests.oracle.parting import Field, part
from tests.oracle.sight import shows
from tests.oracle.writing import NOTHING, Header, Sender, expect_header

Table = Mapping[str, Any]

REFUSED, NO_HEADER, NO_DOMAIN, ACCEPTED = "550 5.7.1", "554 5.6.0", "550 5.1.3", "250 2.0.0"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One mail that somebody hands in."""

    mail: bytes
    recipients: tuple[str, ...]
    """The paths of RCPT, without brackets."""
    sender: str = "who@cares.example"
    """The path of MAIL; empty is the null sender."""
    login: str | None = None
    ip: str = "127.0.0.1"
    listener: int = 0
    """Which one of the configuration."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What must become of it."""

    code: str
    """Code and enhanced code; of the final dot, or where nobody can get the mail, of the recipients."""
    refused_recipients: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """What the text of a refusal must say: the account, or the address and the user."""
    user: str | None = None
    identity: str = "nobody"
    rule: str = ""
    account: str = ""
    reverse_path: str = ""
    """A key, as all addresses here; empty is the null sender."""
    recipients: tuple[str, ...] = ()
    archive: frozenset[str] = frozenset()
    header: Header = NOTHING
    body: bytes = b""


class _Refused(Exception):  # noqa: N818 - a decision, not an error
    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.names = names


def answer(office: Table, question: Question) -> Answer:
    """Say what must become of a mail in an office whose configuration is this document."""
    recipients, no_domain = _read_recipients(office, question)
    said = Answer(code=NO_DOMAIN, refused_recipients=no_domain)
    if not recipients:
        return said
    parted = part(question.mail)
    if parted.refused:
        return replace(said, code=NO_HEADER)
    sender = find_sender(parted.fields)
    user, identity = identify(office, question, sender)
    said = replace(said, user=None if user is None else user["name"], identity=identity)
    try:
        rule, account = _choose(office, sender, user)
        # What is written may be refused, too: an earlier account may have the same address.
        leaving = sender.leaving if rule == "1a" else (key_of(account["address"]),)
        seen = _seen(office, sender) if rule == "1a" else []
        _check_use([account, *(_account_of(office, key) for key in leaving), *seen], user, identity)
    except _Refused as refusal:
        return replace(said, code=REFUSED, names=refusal.names)
    own = key_of(account["address"])
    return replace(
        said,
        code=ACCEPTED,
        rule=rule,
        account=account["name"],
        reverse_path=own if question.sender else "",
        recipients=recipients,
        archive=_archive(office, account, question, recipients),
        header=expect_header(
            parted.fields,
            sender,
            rewrite=None if rule == "1a" else own,
            display_name=account.get("display_name"),
            reply_to=rule == "3" and account.get("keep_reply_to", True) and _user_of(office, sender.key) is not None,
        ),
        body=parted.body,
    )


def _read_recipients(office: Table, question: Question) -> tuple[tuple[str, ...], tuple[str, ...]]:
    postmaster = next(user for user in office["user"] if user["name"] == office["server"]["postmaster"])
    keys: dict[str, None] = {}
    refused = []
    for path in question.recipients:
        if path.lower() == "postmaster":
            keys[key_of(postmaster["address"])] = None
        elif key_of(path).endswith("@"):
            refused.append(path)
        else:
            keys[key_of(path)] = None
    return tuple(keys), tuple(refused)


def find_sender(fields: Sequence[Field]) -> Sender:
    """Find whose mail it is: by the newest Resent block, else by From; Sender decides among several."""
    block = _newest_block(fields)
    prefix = "resent-" if block else ""
    scope = block or range(len(fields))
    at = tuple(n for n in scope if fields[n].name == f"{prefix}from")
    sender_at = tuple(n for n in scope if fields[n].name == f"{prefix}sender")
    authors = tuple(m for n in at for m in read_mailboxes(fields[n].value) if m.domain)
    senders = tuple(m for n in sender_at for m in read_mailboxes(fields[n].value) if m.domain)
    deciding = senders[:1] if len(authors) > 1 and senders else authors[:1]
    return Sender(
        key=deciding[0].key if deciding else None,
        leaving=tuple(mailbox.key for mailbox in authors + senders),
        values=tuple(fields[n].value for n in at + sender_at),
        at=at,
        sender_at=sender_at,
        block=tuple(block),
    )


def _newest_block(fields: Sequence[Field]) -> range:
    """Give the positions of the topmost run of Resent-* fields."""
    resent = [field.name.startswith("resent-") for field in fields]
    if True not in resent:
        return range(0)
    start = resent.index(True)
    return range(start, resent.index(False, start) if False in resent[start:] else len(resent))


def identify(office: Table, question: Question, sender: Sender) -> tuple[Table | None, str]:
    """Say who submits, and how that is known."""
    users = {user["name"]: user for user in office["user"]}
    if question.login is not None:
        return users[question.login], "login"
    for device in office.get("device", ()):
        if any(ip_address(question.ip) in ip_network(network) for network in device["networks"]):
            return users[device["user"]], "device"
    known = _user_of(office, sender.key)
    if known is not None:
        return known, "from"
    default = office["listener"][question.listener].get("default_user")
    return (users[default], "default_user") if default else (None, "nobody")


def _user_of(office: Table, key: str | None) -> Table | None:
    owned = ((user, key_of(text)) for user in office["user"] for text in (user["address"], *user.get("aliases", ())))
    return next((user for user, own in owned if own == key), None)


def _senders(office: Table) -> Iterator[Table]:
    return (account for account in office.get("account", ()) if "smtp" in account)


def _account_of(office: Table, key: str) -> Table | None:
    return next((account for account in _senders(office) if key_of(account["address"]) == key), None)


def _seen(office: Table, sender: Sender) -> list[Table]:
    """Give the accounts whose address somebody may see in the fields, by whatever spelling."""
    first = {key_of(account["address"]): account for account in reversed([*_senders(office)])}
    return [account for key, account in first.items() if any(shows(value, key) for value in sender.values)]


def _choose(office: Table, sender: Sender, user: Table | None) -> tuple[str, Table]:
    if sender.key is not None:
        found = _account_of(office, sender.key)
        if found is not None:
            return "1a", found
    elif user is not None:
        found = _account_of(office, key_of(user["address"]))
        if found is not None:
            return "2a", found
    if user is not None:
        owned = next((account for account in _senders(office) if account["owner"] == user["name"]), None)
        if owned is not None:
            return "3", owned
    raise _Refused(*([sender.key] if sender.key else []), *([user["name"]] if user else []))


def _check_use(accounts: Sequence[Table | None], user: Table | None, identity: str) -> None:
    """Refuse where the chosen account, which is the first, or that of an address that leaves must not be used."""
    chosen = accounts[0]
    if chosen is not None and chosen.get("excluded"):
        raise _Refused(chosen["name"])
    if not all(_may_use(account, user, identity) for account in accounts if account is not None):
        raise _Refused


def _may_use(account: Table, user: Table | None, identity: str) -> bool:
    if account.get("excluded"):
        return False
    if not account.get("restrict"):
        return True
    mine = user is not None and user["name"] in (account["owner"], *account.get("users", ()))
    return mine and identity in ("login", "device")


def _archive(office: Table, account: Table, question: Question, recipients: Sequence[str]) -> frozenset[str]:
    said = account.get("archive", True)
    if not question.sender or said is False:
        return frozenset()
    addresses = office.get("archive", {}).get("bcc", ()) if said is True else said
    return frozenset(map(key_of, addresses)) - set(recipients)
