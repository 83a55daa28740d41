"""What clients ask of notices: the parameters RET, ENVID, NOTIFY and ORCPT, and xtext (RFC 3461 sections 4 and 5).

Each reader raises ValueError with a reason that a client may see. What it gives is safe to be passed on as it is.
"""

import re

from relay.model.envelope import DsnOptions

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_ESCAPED = re.compile(r"(?:\+[0-9A-F]{2})+")
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")
_LONGEST_ID = 100
_LONGEST_ORCPT = 500
_EVENTS = ("SUCCESS", "FAILURE", "DELAY")


def read_ret(value: str | None) -> str:
    """Read RET: `FULL` or `HDRS`."""
    ret = (value or "").upper()
    if ret not in ("FULL", "HDRS"):
        raise ValueError("RET is FULL or HDRS")
    return ret


def read_envelope_id(value: str | None) -> str:
    """Read ENVID; it stays xtext."""
    if not value or len(value) > _LONGEST_ID or _XTEXT.fullmatch(value) is None:
        raise ValueError("ENVID is xtext of at most 100 characters")
    return value


def read_notify(value: str | None) -> str:
    """Read NOTIFY: `NEVER`, or each of `SUCCESS`, `FAILURE` and `DELAY` once at most."""
    words = (value or "").upper().split(",")
    if words == ["NEVER"]:
        return "NEVER"
    if len({*words}) != len(words) or not {*words} <= {*_EVENTS}:
        raise ValueError("NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY")
    return ",".join(event for event in _EVENTS if event in words)


def read_orcpt(value: str | None) -> str:
    """Read ORCPT: `type;xtext`. UTF-8 addresses (RFC 6533) come as xtext too."""
    kind, separator, address = (value or "").partition(";")
    known = separator and _TYPE.fullmatch(kind) and _XTEXT.fullmatch(address)
    if not known or len(value or "") > _LONGEST_ORCPT:
        raise ValueError("ORCPT is type;address with the address as xtext")
    return f"{kind};{address}"


def decode_xtext(text: str) -> str:
    """Decode xtext (RFC 3461 section 4); what is no UTF-8 shows as U+FFFD. Never raises."""
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[0].replace("+", "")).decode("utf-8", "replace"), text)


def wants(event: str, notify: str) -> bool:
    """Tell whether the sender wants to hear of `FAILURE`, `DELAY` or `SUCCESS`: of the last only where he asked."""
    return event in notify or (not notify and event != "SUCCESS")


def mail_options(*, ret: str, envelope_id: str) -> str:
    """Write the DSN options of MAIL, each with a blank before it."""
    return (f" RET={ret}" if ret else "") + (f" ENVID={envelope_id}" if envelope_id else "")


def rcpt_options(one: DsnOptions) -> str:
    """Write the DSN options of RCPT, each with a blank before it."""
    return (f" NOTIFY={one.notify}" if one.notify else "") + (f" ORCPT={one.orcpt}" if one.orcpt else "")
