"""Replies as they are sent: ours in the office's language, aiosmtpd's own with the enhanced codes that it leaves out.

Guarantee: every reply but a greeting, an EHLO list, a 334 and a 354 carries an enhanced status code (RFC 2034), and
nothing that a client sent stands in one of aiosmtpd's: it repeats unknown commands, a bare CR included.
"""

import re
from typing import Final

from relay.model.reply import Reply
from relay.rules.refusal_texts import Refused
from relay.rules.refusals import refuse, speak, write_lines

OK: Final = b"250 2.0.0 OK"
SENDER_OK: Final = b"250 2.1.0 OK"
RECIPIENT_OK: Final = b"250 2.1.5 OK"
CANNOT_VERIFY: Final = b"252 2.1.5 Send the mail, then it is known"
READY_FOR_TLS: Final = b"220 2.0.0 Ready to start TLS"
HELP: Final = b"214 2.0.0 EHLO MAIL RCPT DATA RSET NOOP QUIT STARTTLS AUTH"
GO_AHEAD: Final = b"354 Go on, end with a dot on a line of its own"


def make_reply(code: int, enhanced: str, text: str) -> Reply:
    """Return a reply in English alone."""
    return Reply(code=code, enhanced=enhanced, text=text)


BYE: Final = make_reply(221, "2.0.0", "Bye")
EHLO_FIRST: Final = make_reply(503, "5.5.1", "EHLO first")
NO_MAIL: Final = make_reply(503, "5.5.1", "MAIL first")
NOT_NOW: Final = make_reply(503, "5.5.1", "Not now")
TLS_IS_ON: Final = make_reply(503, "5.5.1", "TLS is on already")
NO_ARGUMENT: Final = make_reply(501, "5.5.4", "DATA takes no argument")
THIS_IS_SMTP: Final = make_reply(421, "4.7.0", "This is SMTP")
TOO_MANY_COMMANDS: Final = make_reply(421, "4.7.0", "Too many commands")
LINE_TOO_LONG: Final = make_reply(500, "5.5.2", "The line is too long")
ANSWER_TOO_LONG: Final = make_reply(500, "5.5.6", "The answer is too long")
UNKNOWN_COMMAND: Final = make_reply(500, "5.5.1", "Unknown command")
CONTROL_CHARACTERS: Final = make_reply(500, "5.5.2", "Control characters are not allowed")
SHUTTING_DOWN: Final = refuse(Refused.SHUTTING_DOWN)
INTERNAL_FAULT: Final = refuse(Refused.INTERNAL_FAULT)

_STATUS: Final = re.compile(r"(\d{3}) (\d\.\d{1,3}\.\d{1,3} )?(?:Error: )?([ -~]*)")
_OF_CODE: Final = {454: "4.7.0", 500: "5.5.2", 501: "5.5.4", 502: "5.5.1", 503: "5.5.1", 504: "5.5.4"}
_STARTTLS: Final = "220 Ready to start TLS"
_TOO_LONG: Final = "500 Command line too long"
_UNKNOWN: Final = "500 Error: command "
HTTP_VERBS: Final = ("GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH")
# The verb as aiosmtpd repeats it, in capitals. A web page can make a browser in the LAN send these lines, then a mail.
_HTTP: Final = re.compile(rf'500 Error: command "(?:(?:{"|".join(HTTP_VERBS)})"|HOST:|USER-AGENT:)')


def translate(status: str) -> Reply | bytes:
    """Return one of aiosmtpd's own replies as one of ours; the greeting, which has no enhanced code, as it is."""
    if status.startswith("220 "):
        return READY_FOR_TLS if status == _STARTTLS else status.encode("utf-8", "replace")
    if status == _TOO_LONG:
        return LINE_TOO_LONG
    if status.startswith(_UNKNOWN):
        if _HTTP.match(status):
            return THIS_IS_SMTP
        return UNKNOWN_COMMAND if status.isprintable() else CONTROL_CHARACTERS
    found = _STATUS.fullmatch(status)
    if found is None:
        return INTERNAL_FAULT
    code, enhanced, text = int(found[1]), (found[2] or "").strip(), found[3]
    return make_reply(code, enhanced or _OF_CODE.get(code, f"{code // 100}.0.0"), text[:1].upper() + text[1:])


def encode(reply: Reply, language: str) -> bytes:
    """Return the octets of a reply, with line ends; a refusal in the office's language, each line with its codes."""
    if reply.code >= 400:
        reply = speak(reply, language)
    return "".join([f"{line}\r\n" for line in write_lines(reply)]).encode("utf-8", "replace")
