"""What a row of the tables of answers is made of: how an answer is recognised, and what it means for whom."""

import re
from enum import StrEnum
from functools import cache
from typing import Final

from relay.rules.answers.about import COLLECTING, About, Stage
from relay.value import Value

__all__ = [
    "COLLECTING",
    "SIGN_IN_AGAIN_DE",
    "SIGN_IN_AGAIN_EN",
    "About",
    "Advice",
    "Cause",
    "Explanation",
    "Row",
    "Stage",
    "say",
]  # fmt: skip


class Advice(StrEnum):
    """What happened, as far as it helps who wrote a mail to decide what to do now."""

    UNKNOWN_ADDRESS = "unknown_address"
    UNKNOWN_DOMAIN = "unknown_domain"
    BAD_ADDRESS = "bad_address"
    MAILBOX_FULL = "mailbox_full"
    MAILBOX_CLOSED = "mailbox_closed"
    TOO_LARGE = "too_large"
    SPAM = "spam"
    ATTACHMENT = "attachment"
    BLOCKED = "blocked"
    UNPROVEN_SENDER = "unproven_sender"
    POLICY = "policy"
    AUTHENTICATION = "authentication"
    SENDER_REFUSED = "sender_refused"
    RELAY_DENIED = "relay_denied"
    RATE = "rate"
    RECIPIENTS = "recipients"
    NO_UTF8 = "no_utf8"
    CONTENT = "content"
    LOOP = "loop"
    UNREACHABLE = "unreachable"
    EXPIRED = "expired"
    OTHER = "other"


class Cause(StrEnum):
    """Why a connection to a server did not come about: the names of the rows that are asked for by name."""

    REFUSED = "refused"
    NO_ANSWER = "no_answer"
    NO_SUCH_HOST = "no_such_host"
    NAME_SERVER = "name_server"
    NO_ROUTE = "no_route"
    CLOSED = "closed"
    NO_TLS = "no_tls"
    """We began with TLS, and the server does not."""
    TLS_AT_ONCE = "tls_at_once"
    """We wait for a greeting, and the server waits for TLS."""
    NO_STARTTLS = "no_starttls"
    OLD_TLS = "old_tls"
    CERTIFICATE_ISSUER = "certificate_issuer"
    CERTIFICATE_SELF_SIGNED = "certificate_self_signed"
    CERTIFICATE_NAME = "certificate_name"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_FUTURE = "certificate_future"
    CERTIFICATE = "certificate"
    """It can't be trusted for another reason."""
    CA_FILE = "ca_file"
    """The file of `ca_file` can't be used."""
    NO_LOGIN = "no_login"
    """The server offers none that we know."""

    @property
    def is_certificate(self) -> bool:
        """Whether the server's certificate is what is wrong, so that a look at it says more."""
        return self.value.startswith("certificate")


class Explanation(Value):
    """What is the matter, for people. To users say `what` alone: the advice is the administrator's."""

    what: str
    """What is the matter: a sentence."""
    advice: str = ""
    """What to do next: a sentence."""

    def __str__(self) -> str:
        return f"{self.what} {self.advice}"

    def of(self, account: str) -> "Explanation":
        """Return them with an account's name in the commands of the advice; `account`: as a shell wants it."""
        return Explanation(what=self.what, advice=self.advice.replace("{account}", account))


def say(what: str, advice: str = "") -> Explanation:
    """Put what is the matter and what to do into words; {account} in an advice is the account's name."""
    return Explanation(what=what, advice=advice)


SIGN_IN_AGAIN_EN: Final = 'Sign in again with "relay account authorize {account}".'
SIGN_IN_AGAIN_DE: Final = "Melden Sie das Konto neu an: „relay account authorize {account}“."


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern once it is needed: all of them cost a tenth of a second, which a start must not."""
    return re.compile(pattern)


class Row(Value):
    """One answer. What is empty in it fits everything; of what is not, all must fit."""

    name: str
    about: About
    advice: Advice = Advice.OTHER
    """Which advice the writer of a mail gets, where it was his mail that got the answer."""
    stages: frozenset[Stage] = frozenset()
    codes: frozenset[int] = frozenset()
    """SMTP reply codes; 0 stands for what has none, as answers of POP3, and our own words."""
    statuses: frozenset[str] = frozenset()
    """Subject and detail of the enhanced status code (RFC 3463), such as `7.139`; the class says only how long."""
    says: str = ""
    """A pattern that its text must hold, in lower case, with single blanks and without addresses."""
    unless: str = ""
    """One that its text must not hold, in the same form."""
    english: Explanation | None = None
    german: Explanation | None = None
    source: str = ""
    """Where the answer is described, or was seen."""
    needs_consent: bool = False
    """Whether an administrator of the directory must allow it, for which there is a page."""

    def fits(self, *, stage: Stage | None, code: int, status: str, text: str) -> bool:
        """Return whether an answer is this one; `stage`: None where it is not known, `text` as `says` wants it."""
        return (
            (not self.stages or stage is None or stage in self.stages)
            and (not self.codes or code in self.codes)
            and (not self.statuses or status in self.statuses)
            and (not self.says or _compile(self.says).search(text) is not None)
            and (not self.unless or _compile(self.unless).search(text) is None)
        )

    @property
    def is_known(self) -> bool:
        """Whether it is what a provider says in its own way, so that there are words for it."""
        return self.english is not None

    def words(self, language: str) -> Explanation | None:
        """Return its words in `de` or `en`; None where it has none of its own."""
        return self.german if language == "de" else self.english

    def explain(self, language: str, account: str) -> Explanation | None:
        """Return its words in `de` or `en` as an account's administrator reads them; `account`: as a shell wants it."""
        words = self.words(language)
        return None if words is None else words.of(account)


ANYTHING: Final = Row(name=Advice.OTHER, about=About.UNKNOWN)
"""What nothing else is known of."""
REFUSED_LOGIN: Final = Row(name=Advice.AUTHENTICATION, about=About.LOGIN, advice=Advice.AUTHENTICATION)
"""What is not known of an answer to a login of POP3, which has no codes."""
