"""What an SMTP client is told when it, or its mail, is refused: every word, in English and in German.

A mail program shows these to whoever wrote the mail, who knows nothing of mail servers. What only a program can have
done wrong, such as a command that does not exist, is told in English alone where it arises. `refusals` fills in the
names in braces, and makes the umlauts ASCII.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from relay.rules.refusal_parts import Words


class Refused(StrEnum):
    """Why something is refused."""

    ADDRESS_FAULT = "address_fault"
    BARE_LINE_FEEDS = "bare_line_feeds"
    BROKEN_HEADER = "broken_header"
    EXCLUDED = "excluded"
    GIVEN_UP = "given_up"
    INTERNAL_FAULT = "internal_fault"
    INTERNATIONAL = "international"
    LARGE_FIELD = "large_field"
    LARGE_HEADER = "large_header"
    LOGIN_LATER = "login_later"
    LONG_LINE = "long_line"
    LOOP_HERE = "loop_here"
    LOOP_RECEIVED = "loop_received"
    MANY_FIELDS = "many_fields"
    MAY_NOT_CONNECT = "may_not_connect"
    NO_ACCOUNT_FOR_NOBODY = "no_account_for_nobody"
    NO_ACCOUNT_FOR_USER = "no_account_for_user"
    NO_DISK = "no_disk"
    NO_DOMAIN = "no_domain"
    NO_LOGIN = "no_login"
    NO_RECIPIENTS = "no_recipients"
    NO_ROOM = "no_room"
    NO_TLS = "no_tls"
    NO_TLS_FOR_LOGIN = "no_tls_for_login"
    NOT_KEPT = "not_kept"
    NOT_VISIBLE = "not_visible"
    PROVIDER_TOO_LARGE = "provider_too_large"
    RESTRICTED = "restricted"
    SHUTTING_DOWN = "shutting_down"
    TOO_LARGE = "too_large"
    TOO_LARGE_KNOWN = "too_large_known"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    TOO_MANY_ERRORS = "too_many_errors"
    TOO_MANY_LOGINS = "too_many_logins"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    TOO_SLOW = "too_slow"
    UNREADABLE_WORD = "unreadable_word"
    WRONG_LOGIN = "wrong_login"


class Refusing(NamedTuple):
    """A refusal's reply code, its enhanced code and its words."""

    code: int
    enhanced: str
    words: Words


def _make(code: int, enhanced: str, english: str, german: str) -> Refusing:
    return Refusing(code, enhanced, Words(english, german))


REFUSALS: Final[Mapping[Refused, Refusing]] = {
    Refused.ADDRESS_FAULT: _make(501, "5.1.3", "{whose} {fault}", "{whose} {fault}"),
    Refused.BARE_LINE_FEEDS: _make(
        554,
        "5.6.0",
        "The mail ends with bare line feeds, where SMTP wants CR LF: let the administrator set bare_line_feeds for the"
        " device {ip}",
        "Das Gerät beendet seine E-Mails falsch. Wer den Maildienst betreut, kann das für {ip} erlauben"
        " (bare_line_feeds)",
    ),
    Refused.BROKEN_HEADER: _make(
        554,
        "5.6.0",
        "Line {line} is no header field (a name, a colon, a value), but fields follow it",
        "Zeile {line} im Kopf der E-Mail ist fehlerhaft; der Fehler liegt am sendenden Programm",
    ),
    Refused.EXCLUDED: _make(
        550,
        "5.7.1",
        "The account {account} is excluded from the service",
        "Das Konto {account} ist vom Maildienst ausgenommen",
    ),
    Refused.GIVEN_UP: _make(
        421, "4.7.0", "Too many failed logins", "Zu viele falsche Anmeldungen; versuchen Sie es später noch einmal"
    ),
    Refused.INTERNAL_FAULT: _make(
        451,
        "4.3.0",
        "Something went wrong here, try again later",
        "Im Maildienst ist ein Fehler aufgetreten; versuchen Sie es später noch einmal",
    ),
    Refused.INTERNATIONAL: _make(
        553,
        "5.6.7",
        "An international address needs SMTPUTF8",
        "Ihr Mailprogramm kann Adressen mit Umlauten vor dem @ nicht richtig übergeben",
    ),
    Refused.LARGE_FIELD: _make(
        554,
        "5.6.0",
        "The sender's fields, up to {name}, have more than {most} octets",
        "Die Kopfzeilen mit dem Absender, bis hin zu {name}, sind länger als {most} Zeichen",
    ),
    Refused.LARGE_HEADER: _make(
        552,
        "5.3.4",
        "The header has more than {most} octets",
        "Die Kopfzeilen der E-Mail sind länger als {most} Zeichen",
    ),
    Refused.LOGIN_LATER: _make(
        454,
        "4.7.0",
        "The login can't be checked now, try again later",
        "Die Anmeldung kann gerade nicht geprüft werden; versuchen Sie es später noch einmal",
    ),
    Refused.LONG_LINE: _make(554, "5.6.0", "A line is too long", "Eine Zeile der E-Mail ist zu lang"),
    Refused.LOOP_HERE: _make(
        554,
        "5.4.6",
        "The mail goes in circles: it was here {count} times before",
        "Die E-Mail läuft im Kreis: Sie war schon {count}-mal hier",
    ),
    Refused.LOOP_RECEIVED: _make(
        554,
        "5.4.6",
        "The mail goes in circles: it has {count} Received fields",
        "Die E-Mail läuft im Kreis: Sie hat schon {count} Stationen hinter sich",
    ),
    Refused.MANY_FIELDS: _make(
        554,
        "5.6.0",
        "The header has {count} fields; at most {most} are taken",
        "Die E-Mail hat {count} Kopfzeilen; angenommen werden höchstens {most}",
    ),
    Refused.MAY_NOT_CONNECT: _make(
        554,
        "5.7.1",
        "{ip} may not connect",
        "Von {ip} aus darf dieser Maildienst nicht benutzt werden",
    ),
    Refused.NO_ACCOUNT_FOR_NOBODY: _make(
        550,
        "5.7.1",
        "No account: {sender}, and nobody known submits: {advice}",
        "Kein Konto zum Senden: {sender}, und es ist nicht bekannt, wer sendet. {advice}",
    ),
    Refused.NO_ACCOUNT_FOR_USER: _make(
        550,
        "5.7.1",
        "No account: {sender}, and {who} owns none: write from an account's address, or let the administrator give"
        " {who} an account",
        "Kein Konto zum Senden: {sender}, und {who} hat kein eigenes. Senden Sie mit der Adresse eines Kontos, oder"
        " bitten Sie die Person, die den Maildienst betreut, um ein Konto für {who}",
    ),
    Refused.NO_DISK: _make(
        452,
        "4.3.1",
        "There is no room for the mail now, try again later",
        "Der Speicher des Maildienstes ist voll; versuchen Sie es später noch einmal",
    ),
    Refused.NO_DOMAIN: _make(
        550,
        "5.1.3",
        "The recipient's address has no domain",
        "In der Adresse des Empfängers fehlt der Teil nach dem @",
    ),
    Refused.NO_LOGIN: _make(
        530,
        "5.7.0",
        "Log in first",
        "Bitte erst anmelden: Tragen Sie im Mailprogramm beim Postausgang Benutzername und Passwort ein",
    ),
    Refused.NO_RECIPIENTS: _make(554, "5.5.1", "No valid recipients", "Die E-Mail hat keinen gültigen Empfänger"),
    Refused.NO_ROOM: _make(
        452,
        "4.3.1",
        "Too much at a time, try again later",
        "Zu viel auf einmal; versuchen Sie es später noch einmal",
    ),
    Refused.NO_TLS: _make(
        530,
        "5.7.0",
        "TLS first",
        "Bitte erst verschlüsseln: Schalten Sie im Mailprogramm beim Postausgang die Verschlüsselung (STARTTLS) ein",
    ),
    Refused.NO_TLS_FOR_LOGIN: _make(
        538,
        "5.7.11",
        "A login needs TLS here",
        "Die Anmeldung geht nur verschlüsselt: Schalten Sie im Mailprogramm beim Postausgang die Verschlüsselung"
        " (STARTTLS) ein",
    ),
    Refused.NOT_KEPT: _make(
        451,
        "4.3.0",
        "The mail could not be kept, try again later",
        "Die E-Mail konnte nicht gespeichert werden; versuchen Sie es später noch einmal",
    ),
    Refused.NOT_VISIBLE: _make(
        550,
        "5.7.1",
        "{address} may not stand in {fields}: {why}",
        "{address} darf nicht als Absender verwendet werden. {why}",
    ),
    Refused.PROVIDER_TOO_LARGE: _make(
        552,
        "5.3.4",
        "The provider takes at most {most}, this mail has {size}",
        "Die E-Mail ist zu groß: Der Anbieter nimmt höchstens {most}, diese hat {size}. Verkleinern Sie die Anhänge",
    ),
    Refused.RESTRICTED: _make(550, "5.7.1", "{why}", "{why}"),
    Refused.SHUTTING_DOWN: _make(
        421,
        "4.3.2",
        "The service is shutting down",
        "Der Maildienst wird gerade beendet; versuchen Sie es später noch einmal",
    ),
    Refused.TOO_LARGE: _make(
        552,
        "5.3.4",
        "The mail is too large: at most {most} are taken",
        "Die E-Mail ist zu groß: Angenommen werden höchstens {most}. Verkleinern Sie die Anhänge",
    ),
    Refused.TOO_LARGE_KNOWN: _make(
        552,
        "5.3.4",
        "The mail is too large: at most {most} are taken, this mail has {size}",
        "Die E-Mail ist zu groß: Angenommen werden höchstens {most}, diese hat {size}. Verkleinern Sie die Anhänge",
    ),
    Refused.TOO_MANY_CONNECTIONS: _make(
        421,
        "4.3.2",
        "Too many connections, come again later",
        "Zu viele Verbindungen; versuchen Sie es später noch einmal",
    ),
    Refused.TOO_MANY_ERRORS: _make(421, "4.7.0", "Too many errors", "Zu viele Fehler; die Verbindung wird beendet"),
    Refused.TOO_MANY_LOGINS: _make(
        454,
        "4.7.0",
        "Too many failed logins, try again later",
        "Zu viele falsche Anmeldungen; versuchen Sie es später noch einmal",
    ),
    Refused.TOO_MANY_RECIPIENTS: _make(
        452,
        "4.5.3",
        "Too many recipients: send the mail to the others again",
        "Zu viele Empfänger: Senden Sie die E-Mail an die übrigen noch einmal",
    ),
    Refused.TOO_SLOW: _make(
        421, "4.4.2", "This takes too long", "Die Übertragung dauerte zu lange; senden Sie die E-Mail noch einmal"
    ),
    Refused.UNREADABLE_WORD: _make(
        550,
        "5.7.1",
        "An encoded word in {fields} that is no name can't be read; encode names alone, and as UTF-8",
        "Die Absenderadresse ist fehlerhaft geschrieben; das liegt am sendenden Programm",
    ),
    Refused.WRONG_LOGIN: _make(535, "5.7.8", "Login or password is wrong", "Benutzername oder Passwort ist falsch"),
}
"""By their kind; what the sender's own address is at fault for gets 5.1.7."""
