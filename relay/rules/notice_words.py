"""The kinds of notices, and what their words are made of; `notice_german` and `notice_english` hold the words."""

from collections.abc import Mapping
from enum import StrEnum

from relay.rules.answers.row import Advice
from relay.value import Value


class Alert(StrEnum):
    """What a notice tells that is not the failure of a mail."""

    ACCOUNT_PAUSED = "account_paused"
    """The provider refused the login."""
    SENDER_REFUSED = "sender_refused"
    """The provider refused the account's address at MAIL FROM."""
    SETTING_NEEDED = "setting_needed"
    """The provider refuses mail until something is changed there, or here."""
    ACCOUNT_GONE = "account_gone"
    """Mail is held, since its account was removed or newly excluded."""
    ARCHIVE_FAILED = "archive_failed"
    """The central blind copy could not be delivered."""
    UNCERTAIN_HELD = "uncertain_held"
    """A mail that may have been sent already is held."""


class Report(StrEnum):
    """What a DSN tells of its recipients: the `Action` of RFC 3464 section 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    """A mail still waits after `warn_after`."""
    RELAYED = "relayed"
    """The provider took it, and sends no confirmations."""


class Others(StrEnum):
    """What became of the recipients of whom a notice does not tell."""

    NONE = "none"
    """There are none, or they failed as well."""
    HANDED_OVER = "handed_over"
    """The provider has the mail for all of them."""
    OPEN = "open"
    """None of them has it, and nobody knows yet."""
    MIXED = "mixed"
    """The provider has it for some; of others nobody knows yet."""


class Hint(Value):
    """One piece of advice."""

    cause: str
    action: str
    """With {again}, where the mail is to be sent once more: to whom, depends on who has it already."""


class AlertText(Value):
    """The words of one alert."""

    subject: str
    what: str
    action: str
    what_one: str = ""
    """In place of `what` where {count} is 1."""
    comfort: str = ""
    """What is added to `what` where it is true."""
    mended: str = ""
    """What is said in place of `action` behind the advice of the answer's row."""
    helper: str = ""
    """What is added to `action` for who does not look after the mail service."""


class ReportText(Value):
    """The words of one kind of DSN."""

    subject: str
    """With {subject}."""
    openings: Mapping[Others, str]
    """By what became of the recipients who are not named."""
    recipients_label: str
    action: str = ""
    """What to do, where the reply does not decide that."""
    subject_some: str = ""
    """The Subject where the provider has taken it for others."""
    goes_on: str = ""
    """That it is tried again, where it is."""
    goes_on_until: str = ""
    """The same, with {until}."""


class Texts(Value):
    """The words of one language."""

    sender_name: str
    no_subject: str
    date: str
    """For strftime."""
    subject_label: str
    sent_label: str
    cause_label: str
    reply_label: str
    problem_label: str
    """In place of `reply_label` where the provider gave no reply."""
    action_label: str
    again: str
    """The {again} of a piece of advice, where nobody has got the mail."""
    again_to_one: str
    """The same where others have it, or fail for another reason: only to the address above."""
    again_to_several: str
    not_yours: str
    """What who wrote it does where the account is at fault, with {again}."""
    not_yours_yet: str
    """The same where the mail still waits: before what the report says."""
    then_again: str
    """What is said behind the administrator's advice, with {again}."""
    others_have_it: str
    """What is said at the end where others have it."""
    gave_up: str
    doubt: str
    """Where a failed mail may have arrived all the same."""
    whole_attached: str
    header_attached: str
    account_label: str
    queue_id_label: str
    closing: str
    """With {hostname}."""
    for_another: str
    """The Subject of a notice that somebody else gets, with {reader} and {subject}."""
    advice: Mapping[Advice, Hint]
    cannot_log_in: AlertText
    """In place of `Alert.ACCOUNT_PAUSED`, where no provider refuses: the account has nothing to log in with."""
    alerts: Mapping[Alert, AlertText]
    reports: Mapping[Report, ReportText]
