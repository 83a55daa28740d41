"""What an SMTP client is told when it, or its mail, is refused: every word, in English and in German.

A mail program shows these to whoever wrote the mail, who knows nothing of mail servers. What only a program can have
done wrong, such as a command that does not exist, is told in English alone where it arises. `refusals` fills in the
names in braces, and makes the umlauts ASCII.
"""

from collections.abc import Mapping
from enum import Enum, unique
from typing import Final, NamedTuple


class Sentence(NamedTuple):
    """A sentence in both languages."""

    english: str
    german: str


class Part(Enum):
    """Parts of the sentences that refuse something."""

    ADD_TO_USERS = Sentence(
        "{who} may not use the account {account}: only its owner and its users may; let the administrator add {who}"
        " to its users",
        "{who} darf das Konto {account} nicht benutzen: Das dürfen nur sein Besitzer und seine Benutzer. Wer den"
        " Maildienst betreut, kann {who} dort eintragen",
    )
    LOG_IN = Sentence(
        "log in, or let the administrator add a device for {ip}",
        "Melden Sie sich im Mailprogramm mit Name und Passwort an, oder bitten Sie die Person, die den"
        " Maildienst betreut, das Gerät {ip} einzutragen",
    )
    NO_SENDER = Sentence("there is no {where} address", "eine Absenderadresse fehlt")
    RECIPIENT = Sentence("The recipient's address", "Die Adresse des Empfängers")
    SENDER = Sentence("The sender's address", "Die Adresse des Absenders")
    STRANGER = Sentence("an unknown client", "Wer unbekannt ist,")
    THE_EXCLUDED = Sentence(
        "the account {account} is excluded from the service", "Das Konto {account} ist vom Maildienst ausgenommen"
    )
    UNKNOWN_SENDER = Sentence("{address} is no account's address", "{address} gehört zu keinem Konto")
    WITHOUT_LOGIN = Sentence(
        "{who} may not use the account {account} without a login: {advice}",
        "{who} darf das Konto {account} nicht ohne Anmeldung benutzen. {advice}",
    )
    WITHOUT_PROOF = Sentence(
        "{who} may not use the account {account}: only its owner and its users may, by a login or a device: {advice}",
        "{who} darf das Konto {account} nicht benutzen: Das dürfen nur sein Besitzer und seine Benutzer, mit"
        " Anmeldung oder Gerät. {advice}",
    )


ADDRESS_FAULTS: Final[Mapping[str, str]] = {
    "is longer than any address": "ist länger als jede gültige Adresse",
    "is longer than any": "ist länger als jede gültige Adresse",
    "has a control character": "enthält ein unsichtbares Steuerzeichen",
    "is not of the form name@domain": "hat nicht die Form name@beispiel.de",
    "has characters before the @ that need quotes": "enthält vor dem @ ein Zeichen, das dort nicht stehen darf",
    "must have 1 to 64 octets before the @": "muss vor dem @ 1 bis 64 Zeichen haben",
    "has a bad address literal": "hat hinter dem @ eine falsche Zahlenadresse",
    "has a domain that IDNA does not allow": "enthält hinter dem @ ein Zeichen, das dort nicht stehen darf",
    "has a bad domain": "ist hinter dem @ falsch geschrieben",
}
"""In German, by what `parse_addr_spec` and the reader of paths say in English."""
OTHER_FAULT: Final = "ist ungültig"


@unique
class Refused(Enum):
    """Why something is refused: the English reply with its codes (RFC 5321, RFC 2034), and the German words for it.

    What the sender's own address is at fault for gets 5.1.7.
    """

    ADDRESS_FAULT = Sentence("501 5.1.3 {whose} {fault}", "{whose} {fault}")
    BARE_LINE_FEEDS = Sentence(
        "554 5.6.0 The mail ends with bare line feeds, where SMTP wants CR LF: let the administrator set"
        " bare_line_feeds for the device {ip}",
        "Das Gerät beendet seine E-Mails falsch. Wer den Maildienst betreut, kann das für {ip} erlauben"
        " (bare_line_feeds)",
    )
    BROKEN_HEADER = Sentence(
        "554 5.6.0 Line {line} is no header field (a name, a colon, a value), but fields follow it",
        "Zeile {line} im Kopf der E-Mail ist fehlerhaft; der Fehler liegt am sendenden Programm",
    )
    EXCLUDED = Sentence(
        "550 5.7.1 The account {account} is excluded from the service",
        "Das Konto {account} ist vom Maildienst ausgenommen",
    )
    GIVEN_UP = Sentence(
        "421 4.7.0 Too many failed logins", "Zu viele falsche Anmeldungen; versuchen Sie es später noch einmal"
    )
    INTERNAL_FAULT = Sentence(
        "451 4.3.0 Something went wrong here, try again later",
        "Im Maildienst ist ein Fehler aufgetreten; versuchen Sie es später noch einmal",
    )
    INTERNATIONAL = Sentence(
        "553 5.6.7 An international address needs SMTPUTF8",
        "Ihr Mailprogramm kann Adressen mit Umlauten vor dem @ nicht richtig übergeben",
    )
    LARGE_FIELD = Sentence(
        "554 5.6.0 The sender's fields, up to {name}, have more than {most} octets",
        "Die Kopfzeilen mit dem Absender, bis hin zu {name}, sind länger als {most} Zeichen",
    )
    LARGE_HEADER = Sentence(
        "552 5.3.4 The header has more than {most} octets",
        "Die Kopfzeilen der E-Mail sind länger als {most} Zeichen",
    )
    LOGIN_LATER = Sentence(
        "454 4.7.0 The login can't be checked now, try again later",
        "Die Anmeldung kann gerade nicht geprüft werden; versuchen Sie es später noch einmal",
    )
    LONG_LINE = Sentence("554 5.6.0 A line is too long", "Eine Zeile der E-Mail ist zu lang")
    LOOP_HERE = Sentence(
        "554 5.4.6 The mail goes in circles: it was here {count} times before",
        "Die E-Mail läuft im Kreis: Sie war schon {count}-mal hier",
    )
    LOOP_RECEIVED = Sentence(
        "554 5.4.6 The mail goes in circles: it has {count} Received fields",
        "Die E-Mail läuft im Kreis: Sie hat schon {count} Stationen hinter sich",
    )
    MANY_FIELDS = Sentence(
        "554 5.6.0 The header has {count} fields; at most {most} are taken",
        "Die E-Mail hat {count} Kopfzeilen; angenommen werden höchstens {most}",
    )
    MAY_NOT_CONNECT = Sentence(
        "554 5.7.1 {ip} may not connect", "Von {ip} aus darf dieser Maildienst nicht benutzt werden"
    )
    NO_ACCOUNT_FOR_NOBODY = Sentence(
        "550 5.7.1 No account: {sender}, and nobody known submits: {advice}",
        "Kein Konto zum Senden: {sender}, und es ist nicht bekannt, wer sendet. {advice}",
    )
    NO_ACCOUNT_FOR_USER = Sentence(
        "550 5.7.1 No account: {sender}, and {who} owns none: write from an account's address, or let the administrator"
        " give {who} an account",
        "Kein Konto zum Senden: {sender}, und {who} hat kein eigenes. Senden Sie mit der Adresse eines Kontos, oder"
        " bitten Sie die Person, die den Maildienst betreut, um ein Konto für {who}",
    )
    NO_DISK = Sentence(
        "452 4.3.1 There is no room for the mail now, try again later",
        "Der Speicher des Maildienstes ist voll; versuchen Sie es später noch einmal",
    )
    NO_DOMAIN = Sentence(
        "550 5.1.3 The recipient's address has no domain",
        "In der Adresse des Empfängers fehlt der Teil nach dem @",
    )
    NO_LOGIN = Sentence(
        "530 5.7.0 Log in first",
        "Bitte erst anmelden: Tragen Sie im Mailprogramm beim Postausgang Benutzername und Passwort ein",
    )
    NO_RECIPIENTS = Sentence("554 5.5.1 No valid recipients", "Die E-Mail hat keinen gültigen Empfänger")
    NO_ROOM = Sentence(
        "452 4.3.1 Too much at a time, try again later",
        "Zu viel auf einmal; versuchen Sie es später noch einmal",
    )
    NO_TLS = Sentence(
        "530 5.7.0 TLS first",
        "Bitte erst verschlüsseln: Schalten Sie im Mailprogramm beim Postausgang die Verschlüsselung (STARTTLS) ein",
    )
    NO_TLS_FOR_LOGIN = Sentence(
        "538 5.7.11 A login needs TLS here",
        "Die Anmeldung geht nur verschlüsselt: Schalten Sie im Mailprogramm beim Postausgang die Verschlüsselung"
        " (STARTTLS) ein",
    )
    NOT_KEPT = Sentence(
        "451 4.3.0 The mail could not be kept, try again later",
        "Die E-Mail konnte nicht gespeichert werden; versuchen Sie es später noch einmal",
    )
    NOT_VISIBLE = Sentence(
        "550 5.7.1 {address} may not stand in {fields}: {why}",
        "{address} darf nicht als Absender verwendet werden. {why}",
    )
    PROVIDER_TOO_LARGE = Sentence(
        "552 5.3.4 The provider takes at most {most}, this mail has {size}",
        "Die E-Mail ist zu groß: Der Anbieter nimmt höchstens {most}, diese hat {size}. Verkleinern Sie die Anhänge",
    )
    RESTRICTED = Sentence("550 5.7.1 {why}", "{why}")
    SHUTTING_DOWN = Sentence(
        "421 4.3.2 The service is shutting down",
        "Der Maildienst wird gerade beendet; versuchen Sie es später noch einmal",
    )
    TOO_LARGE = Sentence(
        "552 5.3.4 The mail is too large: at most {most} are taken",
        "Die E-Mail ist zu groß: Angenommen werden höchstens {most}. Verkleinern Sie die Anhänge",
    )
    TOO_LARGE_KNOWN = Sentence(
        "552 5.3.4 The mail is too large: at most {most} are taken, this mail has {size}",
        "Die E-Mail ist zu groß: Angenommen werden höchstens {most}, diese hat {size}. Verkleinern Sie die Anhänge",
    )
    TOO_MANY_CONNECTIONS = Sentence(
        "421 4.3.2 Too many connections, come again later",
        "Zu viele Verbindungen; versuchen Sie es später noch einmal",
    )
    TOO_MANY_ERRORS = Sentence("421 4.7.0 Too many errors", "Zu viele Fehler; die Verbindung wird beendet")
    TOO_MANY_LOGINS = Sentence(
        "454 4.7.0 Too many failed logins, try again later",
        "Zu viele falsche Anmeldungen; versuchen Sie es später noch einmal",
    )
    TOO_MANY_RECIPIENTS = Sentence(
        "452 4.5.3 Too many recipients: send the mail to the others again",
        "Zu viele Empfänger: Senden Sie die E-Mail an die übrigen noch einmal",
    )
    TOO_SLOW = Sentence(
        "421 4.4.2 This takes too long", "Die Übertragung dauerte zu lange; senden Sie die E-Mail noch einmal"
    )
    UNREADABLE_WORD = Sentence(
        "550 5.7.1 An encoded word in {fields} that is no name can't be read; encode names alone, and as UTF-8",
        "Die Absenderadresse ist fehlerhaft geschrieben; das liegt am sendenden Programm",
    )
    WRONG_LOGIN = Sentence("535 5.7.8 Login or password is wrong", "Benutzername oder Passwort ist falsch")

    def __init__(self, reply: str, german: str) -> None:
        code, self.enhanced, english = reply.split(" ", 2)
        self.code, self.words = int(code), Sentence(english, german)
