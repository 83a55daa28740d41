"""The account rules: which account sends a mail, and what is rewritten so that the provider takes it.

Pure. The first match decides; an excluded account refuses the mail, it never sends it on to the next account.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from relay.model.account import Account, Directory, User
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.reply import Reply
from relay.model.route import Edit, Identity, Refusal, RemoveFields, RoutePlan, Rule, SetField
from relay.rules.address import Mailbox, format_mailbox, parse_mailboxes
from relay.rules.headers import MOST_FIELDS, Field, count_fields, split_fields
from relay.rules.trace import MAX_LOOPS, MAX_RECEIVED, loop_count, received_count


@dataclass(kw_only=True, slots=True)
class _Origin:
    """Where the deciding sender stands in the header."""

    prefix: str
    """`Resent-` where a Resent block decides, else empty."""
    from_positions: tuple[int, ...] = ()
    sender_positions: tuple[int, ...] = ()
    mailbox: Mailbox | None = None
    """The deciding mailbox, with an address; None where there is none."""
    name: str = ""
    """The display name that the mail had."""


@dataclass(kw_only=True, slots=True)
class _Case:
    """One mail while the rules look at it."""

    directory: Directory
    envelope: Envelope
    fields: tuple[Field, ...]
    origin: _Origin
    user: User | None
    identity: Identity
    steps: list[str] = field(default_factory=list)

    @property
    def address(self) -> Address | None:
        return self.origin.mailbox.address if self.origin.mailbox is not None else None

    @property
    def who(self) -> str:
        return self.user.name if self.user is not None else "nobody"


def plan_route(*, directory: Directory, client: Client, envelope: Envelope, header: bytes) -> RoutePlan | Refusal:
    """Apply the account rules to a mail. `header` is the raw block, each line with CRLF, without the blank line."""
    fields = split_fields(header)
    origin = _find_origin(fields)
    address = origin.mailbox.address if origin.mailbox is not None else None
    user, identity = identify(directory, client, address)
    case = _Case(directory=directory, envelope=envelope, fields=fields, origin=origin, user=user, identity=identity)
    case.steps.append(_tell_identity(case, client))
    chosen = _choose(case)
    if isinstance(chosen, Refusal):
        return chosen
    rule, account = chosen
    refusal = _check_account(case, rule, account)
    if refusal is not None:
        return refusal
    edits = () if rule is Rule.FROM else _rewrite(case, rule, account)
    return RoutePlan(
        user=None if user is None else user.name,
        identity=identity,
        rule=rule,
        account=account.name,
        sender_before=address,
        sender_after=account.address,
        reverse_path=None if envelope.reverse_path is None else account.address,
        edits=tuple(edits),
        steps=tuple(case.steps),
    )


def plan_move(*, directory: Directory, account: Account, user: str | None, header: bytes) -> Refusal | tuple[Edit, ...]:
    """Plan what is rewritten of a mail in the queue so that it can leave through another account, as by rule 3."""
    fields = split_fields(header)
    case = _Case(
        directory=directory,
        envelope=Envelope(reverse_path=None, recipients=()),
        fields=fields,
        origin=_find_origin(fields),
        user=directory.user(user),
        identity=Identity.NOBODY,
    )
    refusal = _check_account(case, Rule.OWNER, account)
    if refusal is not None:
        return refusal
    if case.address is not None and case.address.key == account.address.key:
        return ()
    return tuple(_rewrite(case, Rule.OWNER, account))


def identify(directory: Directory, client: Client, from_address: Address | None) -> tuple[User | None, Identity]:
    """Find out who submits: the login, the device's network, the From address, the listener's default user, nobody."""
    if client.login is not None and (user := directory.user(client.login)) is not None:
        return user, Identity.LOGIN
    device = directory.device_at(client.ip)
    if device is not None and (user := directory.user(device.user)) is not None:
        return user, Identity.DEVICE
    if from_address is not None and (user := directory.user_of(from_address)) is not None:
        return user, Identity.FROM
    if (user := directory.user(client.default_user)) is not None:
        return user, Identity.LISTENER
    return None, Identity.NOBODY


def check_loop(header: bytes, hostname: str) -> Refusal | None:
    """Refuse a mail that goes in circles (RFC 5321 section 6.3), or whose header has more fields than any real one."""
    count = count_fields(header)
    if count > MOST_FIELDS:
        text = f"The header has {count} fields; at most {MOST_FIELDS} are taken"
        reply = Reply(code=554, enhanced="5.6.0", text=text)
        return Refusal(user=None, identity=Identity.NOBODY, reason="header", reply=reply, steps=(f"{text}.",))
    received, loops = received_count(header), loop_count(header, hostname)
    if received <= MAX_RECEIVED and loops <= MAX_LOOPS:
        return None
    what = f"it has {received} Received fields" if received > MAX_RECEIVED else f"it was here {loops} times before"
    return Refusal(
        user=None,
        identity=Identity.NOBODY,
        reason="loop",
        reply=Reply(code=554, enhanced="5.4.6", text=f"The mail goes in circles: {what}"),
        steps=(f"The mail goes in circles: {what}.",),
    )


def _tell_identity(case: _Case, client: Client) -> str:
    user = case.who
    if case.identity is Identity.LOGIN:
        return f"{user} submits: known by the login."
    if case.identity is Identity.DEVICE:
        device = case.directory.device_at(client.ip)
        return (
            f"{user} submits: the client's address {client.ip} belongs to the device {device.name if device else ''!r}."
        )
    if case.identity is Identity.FROM:
        return f"{user} submits: the From address {case.address} is one of his addresses."
    if case.identity is Identity.LISTENER:
        return f"{user} submits: the default user of the listener."
    return "Nobody known submits: no login, no device, no user's From address, no default user."


def _find_origin(fields: Sequence[Field]) -> _Origin:
    """Find the deciding sender: in the newest Resent block if there is one; Sender where there are several From."""
    resent = _newest_resent(fields)
    prefix = "Resent-" if resent else ""
    inside = resent or range(len(fields))
    from_key, sender_key = ("resent-from", "resent-sender") if resent else ("from", "sender")
    froms = tuple([n for n in inside if fields[n].key == from_key])
    senders = tuple([n for n in inside if fields[n].key == sender_key])
    mailboxes = [mailbox for n in froms for mailbox in parse_mailboxes(fields[n].value)]
    usable = [mailbox for mailbox in mailboxes if mailbox.address is not None]
    chosen = usable[0] if usable else None
    if len(usable) > 1:
        named = [m for n in senders for m in parse_mailboxes(fields[n].value) if m.address is not None]
        chosen = named[0] if named else usable[0]
    name = chosen.display_name if chosen is not None else next((m.display_name for m in mailboxes), "")
    return _Origin(prefix=prefix, from_positions=froms, sender_positions=senders, mailbox=chosen, name=name)


def _newest_resent(fields: Sequence[Field]) -> list[int]:
    """Give the positions of the newest Resent block, the topmost (RFC 5322 section 3.6.6); a repeated name ends it."""
    block: list[int] = []
    seen: set[str] = set()
    for n, (_, _, key) in enumerate(fields):
        if key.startswith("resent-") and key != "resent-bcc":
            if key in seen:
                break
            seen.add(key)
            block.append(n)
        elif block:
            break
    return block


def _choose(case: _Case) -> tuple[Rule, Account] | Refusal:
    where = f"{case.origin.prefix}From"
    address = case.address
    if address is not None:
        account = case.directory.sender(address)
        if account is not None:
            case.steps.append(f"Rule 1a: {where} {address} is the address of the account {account.name!r}.")
            return Rule.FROM, account
        case.steps.append(f"Rule 1b: no account has the {where} address {address}.")
    elif case.user is not None:
        account = case.directory.sender(case.user.address)
        if account is not None:
            case.steps.append(
                f"Rule 2a: there is no {where} address; {case.who}'s profile address {case.user.address} "
                f"is the address of the account {account.name!r}."
            )
            return Rule.PROFILE, account
        case.steps.append(
            f"Rule 2b: there is no {where} address, and no account has {case.who}'s profile address"
            f" {case.user.address}."
        )
    else:
        case.steps.append(f"Rule 2: there is no {where} address, and nobody whose profile address could be taken.")
    owned = case.directory.first_owned(case.user.name) if case.user is not None else None
    if owned is not None:
        case.steps.append(f"Rule 3: {owned.name!r} is the first account that {case.who} owns.")
        return Rule.OWNER, owned
    sender = f"{address} is no account's address" if address is not None else "There is no From address"
    text = f"No account: {sender}, and {case.who if case.user else 'nobody known submits, who could own one'}"
    text += " owns none" if case.user is not None else ""
    case.steps.append(f"Rule 4: refused. {text}.")
    return _refuse(case, "no_account", text, rule=None, account=None)


def _check_account(case: _Case, rule: Rule, account: Account) -> Refusal | None:
    if account.excluded:
        text = f"The account {account.name} is excluded from the service"
        case.steps.append(f"Refused: {text}; the choice does not go on to another account.")
        return _refuse(case, "excluded", text, rule=rule, account=account)
    if account.restrict and (case.user is None or case.user.name not in (account.owner, *account.users)):
        text = f"{case.who} may not use the account {account.name}"
        case.steps.append(f"Refused: {text}: only its owner and its users may.")
        return _refuse(case, "restricted", text, rule=rule, account=account)
    return None


def _refuse(case: _Case, reason: str, text: str, *, rule: Rule | None, account: Account | None) -> Refusal:
    plain = "".join(char if char.isprintable() else "?" for char in text)[:400]
    return Refusal(
        user=None if case.user is None else case.user.name,
        identity=case.identity,
        reason=reason,
        reply=Reply(code=550, enhanced="5.7.1", text=plain),
        account=None if account is None else account.name,
        rule=rule,
        sender_before=case.address,
        steps=tuple(case.steps),
    )


def _rewrite(case: _Case, rule: Rule, account: Account) -> list[Edit]:
    """Write the account's address into From (or Resent-From), and mend what depends on it."""
    origin, old = case.origin, case.address
    where = f"{origin.prefix}From"
    value = format_mailbox(account.display_name or origin.name, account.address)
    why = f"rule {rule}: the sender becomes {account.address}"
    first, others = next(iter(origin.from_positions), None), origin.from_positions[1:]
    edits: list[Edit] = [SetField(name=where, value=value, position=first, why=why)]
    if others:
        edits.append(RemoveFields(name=where, positions=others, why="one From is left"))
    case.steps.append(f"{where} is rewritten to {account.address}" + (f" (it was {old})." if old is not None else "."))
    foreign = tuple(n for n in origin.sender_positions if not _is_sender(case.fields[n], account.address))
    if foreign:
        edits.append(
            RemoveFields(name=f"{origin.prefix}Sender", positions=foreign, why="it is not the account's address")
        )
    if not origin.prefix:
        edits += _reply_to(case, rule, account, old)
        edits += _signatures(case)
    return edits


def _is_sender(one: Field, address: Address) -> bool:
    found = parse_mailboxes(one.value)
    return len(found) == 1 and found[0].address is not None and found[0].address.key == address.key


def _reply_to(case: _Case, rule: Rule, account: Account, old: Address | None) -> list[Edit]:
    if rule is not Rule.OWNER or old is None or not account.keep_reply_to:
        return []
    if case.directory.user_of(old) is None or any(one.key == "reply-to" for one in case.fields):
        return []
    case.steps.append(f"Reply-To becomes {old}: answers go to the user who wrote.")
    return [SetField(name="Reply-To", value=format_mailbox(case.origin.name, old), why="answers go to the old From")]


def _signatures(case: _Case) -> list[Edit]:
    broken = tuple(n for n, one in enumerate(case.fields) if one.key == "dkim-signature" and _covers_from(one.value))
    if not broken:
        return []
    case.steps.append("A DKIM signature over the old From is removed: it could only fail.")
    return [RemoveFields(name="DKIM-Signature", positions=broken, why="it signs the From that was rewritten")]


def _covers_from(value: bytes) -> bool:
    for tag in value.split(b";"):
        name, _, content = tag.partition(b"=")
        if name.strip().lower() == b"h":
            return b"from" in {part.strip().lower() for part in content.split(b":")}
    return True
