"""The words of notices by the office's language.

The tables are complete in both languages; a test proves it. Names in braces are filled in by `notice_wording`; those of
the alerts are {account}, {address}, {command} (the account's name as a shell wants it), {count}, {queue_id}, {subject}.
"""

from collections.abc import Mapping

from relay.rules.notice_english import ENGLISH
from relay.rules.notice_german import GERMAN
from relay.rules.notice_words import Alert, AlertText, Hint, Others, Report, ReportText, Texts

__all__ = ["OWN_CAUSES", "TEXTS", "Alert", "AlertText", "Hint", "Others", "Report", "ReportText", "Texts"]

OWN_CAUSES: Mapping[str, Mapping[str, str]] = {
    "the provider does not take international addresses": {
        "de": "Der Anbieter kann Adressen mit Umlauten vor dem @ nicht befördern.",
        "en": "The provider cannot carry addresses with accents before the @.",
    },
    "the provider takes at most": {
        "de": "Der Anbieter nimmt so große E-Mails nicht an.",
        "en": "The provider does not take e-mails of this size.",
    },
    "the provider takes less from this account": {
        "de": "Der Anbieter nimmt von diesem Konto weniger E-Mails an, als zu senden sind.",
        "en": "The provider takes fewer e-mails from this account than there are to send.",
    },
    "the account is paused": {
        "de": "Das Konto ist angehalten.",
        "en": "The account is paused.",
    },
    "the provider's server has not been reached": {
        "de": "Der Server des Anbieters wurde noch nicht erreicht.",
        "en": "The provider's server has not been reached yet.",
    },
    "the server answered data with": {
        "de": "Der Server des Anbieters hat etwas geantwortet, das dort keinen Sinn ergibt.",
        "en": "The provider's server gave an answer that makes no sense at that point.",
    },
    "a fault inside of the relay": {
        "de": "Im Maildienst selbst ist ein Fehler aufgetreten; sein Protokoll sagt mehr.",
        "en": "There was a fault in the mail service itself; its log says more.",
    },
}
"""What we say ourselves in place of a provider's reply, by how it begins, in lower case; `causes` knows the others."""

TEXTS: Mapping[str, Texts] = {"de": GERMAN, "en": ENGLISH}
"""By the configuration's `language`."""
