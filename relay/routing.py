"""The account rules: which account sends a mail, and what is rewritten so that the provider takes it.

Pure. The first match decides; an excluded account refuses the mail, it never sends it on to the next account. What a
mail says of itself makes nobody the user of a restricted account, neither in the envelope nor in what people see.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from relay.model.account import Account, Directory, User
from relay.model.address import Address
from relay.model.envelope import Client, Envelope
from relay.model.reply import Reply
from relay.model.route import Edit, KnownBy, Refusal, RoutePlan, Rule
from relay.rules.disguise import find_disguised
from relay.rules.headers import MOST_FIELDS, Field, count_fields, split_fields
from relay.rules.refusal_texts import Part, Refused, Sentence
from relay.rules.refusals import refuse, say, show_address
from relay.rules.sender import MOST_OCTETS, Origin, find_large_field, find_origin, rewrite_sender
from relay.rules.trace import MAX_LOOPS, MAX_RECEIVED, loop_count, received_count


@dataclass(kw_only=True, slots=True)
class _Case:
    """One mail while the rules look at it."""

    directory: Directory
    fields: tuple[Field, ...]
    origin: Origin
    user: User | None
    identity: KnownBy
    ip: IPv4Address | IPv6Address | None = None
    """The client's address; None where there is no client."""
    steps: list[str] = field(default_factory=list)

    @property
    def who(self) -> str:
        return self.user.name if self.user is not None else "nobody"

    @property
    def login_advice(self) -> Sentence:
        return say(Part.LOG_IN, ip=str(self.ip))


def plan_route(*, directory: Directory, client: Client, envelope: Envelope, header: bytes) -> RoutePlan | Refusal:
    """Apply the account rules to a mail. `header` is the raw block, each line with CRLF, without the blank line."""
    fields = split_fields(header)
    large = find_large_field(fields)
    if large is not None:
        return _refuse_unread("large_field", refuse(Refused.LARGE_FIELD, name=large, most=str(MOST_OCTETS)))
    origin = find_origin(fields)
    user, identity, step = _identify(directory, client, origin.address)
    case = _Case(directory=directory, fields=fields, origin=origin, user=user, identity=identity, ip=client.ip)
    case.steps.append(step)
    chosen = _choose(case)
    if isinstance(chosen, Refusal):
        return chosen
    rule, account = chosen
    refusal = _check_account(case, rule, account) or _check_visible(case, rule, account)
    if refusal is not None:
        return refusal
    edits = _rewrite(case, rule, account)
    return RoutePlan(
        user=None if user is None else user.name,
        identity=identity,
        rule=rule,
        account=account.name,
        sender_before=origin.address,
        sender_after=account.address,
        reverse_path=None if envelope.reverse_path is None else account.address,
        edits=edits,
        steps=tuple(case.steps),
    )


def plan_move(*, directory: Directory, account: Account, user: str | None, header: bytes) -> Refusal | tuple[Edit, ...]:
    """Plan what is rewritten of a mail in the queue so that it can leave through another account, as by rule 3.

    Whoever moves it answers for it that the user is who he was taken for: as if he had logged in.
    """
    fields = split_fields(header)
    case = _Case(
        directory=directory,
        fields=fields,
        origin=find_origin(fields),
        user=directory.user(user),
        identity=KnownBy.LOGIN,
    )
    same = case.origin.address is not None and case.origin.address.key == account.address.key
    rule = Rule.FROM if same else Rule.OWNER
    refusal = _check_account(case, rule, account) or _check_visible(case, rule, account)
    if refusal is not None:
        return refusal
    return _rewrite(case, rule, account)


def _identify(directory: Directory, client: Client, sender: Address | None) -> tuple[User | None, KnownBy, str]:
    """Find out who submits, and say how: the first of these ways that leads to a user."""
    for user, identity, how in _ways(directory, client, sender):
        if user is not None:
            return user, identity, f"{user.name} submits: {how}."
    told = "Nobody known submits: no login, no device, no user's From address, no default user."
    return None, KnownBy.NOBODY, told


def _ways(directory: Directory, client: Client, sender: Address | None) -> Iterator[tuple[User | None, KnownBy, str]]:
    yield directory.user(client.login), KnownBy.LOGIN, "known by the login"
    if (device := directory.device_at(client.ip)) is not None:
        how = f"the client's address {client.ip} belongs to the device {device.name!r}"
        yield directory.user(device.user), KnownBy.DEVICE, how
    if sender is not None:
        yield directory.user_of(sender), KnownBy.FROM, f"the From address {sender} is that user's"
    yield directory.user(client.default_user), KnownBy.LISTENER, "the default user of the listener"


def check_loop(header: bytes, hostname: str) -> Refusal | None:
    """Refuse a mail that goes in circles (RFC 5321 section 6.3), or whose header has more fields than any real one."""
    count = count_fields(header)
    if count > MOST_FIELDS:
        return _refuse_unread("header", refuse(Refused.MANY_FIELDS, count=str(count), most=str(MOST_FIELDS)))
    received, loops = received_count(header), loop_count(header, hostname)
    if received > MAX_RECEIVED:
        return _refuse_unread("loop", refuse(Refused.LOOP_RECEIVED, count=str(received)))
    return _refuse_unread("loop", refuse(Refused.LOOP_HERE, count=str(loops))) if loops > MAX_LOOPS else None


def _refuse_unread(reason: str, reply: Reply) -> Refusal:
    """Refuse a mail whose header can't be read, or need not."""
    return Refusal(reason=reason, reply=reply, steps=(f"Refused: {reply.text}.",))


def _choose(case: _Case) -> tuple[Rule, Account] | Refusal:
    where = f"{case.origin.prefix}From"
    address = case.origin.address
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
    sender = say(Part.NO_SENDER, where=where)
    if address is not None:
        sender = say(Part.UNKNOWN_SENDER, address=show_address(address))
    if case.user is None:
        reply = refuse(Refused.NO_ACCOUNT_FOR_NOBODY, sender=sender, advice=case.login_advice)
    else:
        reply = refuse(Refused.NO_ACCOUNT_FOR_USER, sender=sender, who=case.who)
    return _refuse(case, "no_account", reply, rule=None, account=None, step=f"Rule 4: refused. {reply.text}.")


def _check_account(case: _Case, rule: Rule, account: Account) -> Refusal | None:
    """Refuse where the chosen account is excluded, or restricted to others; the choice does not go on to another."""
    if account.excluded:
        reply = refuse(Refused.EXCLUDED, account=account.name)
        step = f"Refused: {reply.text}; the choice does not go on to another account."
        return _refuse(case, "excluded", reply, rule=rule, account=account, step=step)
    if not _may_use(case, account):
        reply = refuse(Refused.RESTRICTED, why=_explain_restricted(case, account))
        return _refuse(case, "restricted", reply, rule=rule, account=account)
    return None


def _check_visible(case: _Case, rule: Rule, chosen: Account) -> Refusal | None:
    """Refuse where people would see the address of an account that is not for this user, whichever account sends."""
    for address in _visible(case, rule, chosen):
        account = None if address is None else case.directory.sender(address)
        if address is not None and (account is None or _may_use(case, account)):
            continue
        fields = f"{case.origin.prefix}From or {case.origin.prefix}Sender"
        if account is None:
            reply = refuse(Refused.UNREADABLE_WORD, fields=fields)
            step = f"Refused: {reply.text}: it may hide the address of an account that {case.who} may not use."
            return _refuse(case, "restricted", reply, rule=rule, account=chosen, step=step)
        reason, why = "excluded", say(Part.THE_EXCLUDED, account=account.name)
        if not account.excluded:
            reason, why = "restricted", _explain_restricted(case, account)
        reply = refuse(Refused.NOT_VISIBLE, address=show_address(address), fields=fields, why=why)
        return _refuse(case, reason, reply, rule=rule, account=account)
    return None


def _visible(case: _Case, rule: Rule, chosen: Account) -> Iterator[Address | None]:
    """Give the addresses that may be read in From and Sender; a rewrite leaves none but the account's.

    Of what only other programs may read there, those of accounts that are not for this user; None: any of them.
    """
    if rule is not Rule.FROM:
        yield chosen.address
        return
    yield from case.origin.addresses
    foreign = [account.address for account in case.directory.senders if not _may_use(case, account)]
    yield from find_disguised(case.origin.values, foreign)


def _may_use(case: _Case, account: Account) -> bool:
    if account.excluded:
        return False
    return not account.restrict or (case.identity.is_proved and _is_meant(case.user, account))


def _is_meant(user: User | None, account: Account) -> bool:
    return user is not None and user.name in (account.owner, *account.users)


def _explain_restricted(case: _Case, account: Account) -> Sentence:
    """Say who may use a restricted account, and what to do."""
    who: str | Sentence = say(Part.STRANGER) if case.user is None else case.user.name
    if case.identity.is_proved:
        return say(Part.ADD_TO_USERS, who=who, account=account.name)
    part = Part.WITHOUT_LOGIN if _is_meant(case.user, account) else Part.WITHOUT_PROOF
    return say(part, who=who, account=account.name, advice=case.login_advice)


def _rewrite(case: _Case, rule: Rule, account: Account) -> tuple[Edit, ...]:
    """Rules 2 and 3 write the sender; rule 1a leaves it as it is."""
    if rule is Rule.FROM:
        return ()
    ours = case.origin.address is not None and case.directory.user_of(case.origin.address) is not None
    keep = rule is Rule.OWNER and account.keep_reply_to and ours
    rewrite = rewrite_sender(case.fields, case.origin, account, why=f"rule {rule}", keep_reply_to=keep)
    case.steps += rewrite.steps
    return rewrite.edits


def _refuse(
    case: _Case, reason: str, reply: Reply, *, rule: Rule | None, account: Account | None, step: str = ""
) -> Refusal:
    case.steps.append(step or f"Refused: {reply.text}.")
    return Refusal(
        user=None if case.user is None else case.user.name,
        identity=case.identity,
        reason=reason,
        reply=reply,
        account=None if account is None else account.name,
        rule=rule,
        sender_before=case.origin.address,
        steps=tuple(case.steps),
    )
