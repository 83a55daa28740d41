"""Every word of a notice, in German and in English, for readers who know nothing of mail servers.

The tables are complete in both languages; a test proves it. Names in braces are filled in by `notice`; those of the
alerts are {account}, {address}, {command} (the account's name as a shell wants it), {count}, {queue_id}, {subject}.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from relay.rules.notice_advice import Advice


class Alert(StrEnum):
    """What a notice tells that is not the failure of a mail."""

    ACCOUNT_PAUSED = "account_paused"
    """The provider refused the login."""
    SENDER_REFUSED = "sender_refused"
    """The provider refused the account's address at MAIL FROM."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """One piece of advice."""

    cause: str
    action: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertText:
    """The words of one alert."""

    subject: str
    what: str
    action: str
    comfort: str = ""
    """What is added to `what` where it is true."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportText:
    """The words of one kind of DSN."""

    subject: str
    """With {subject}."""
    opening: str
    recipients_label: str
    action: str = ""
    """What to do, where the reply does not decide that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
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
    alerts: Mapping[Alert, AlertText]
    reports: Mapping[Report, ReportText]


_GERMAN = Texts(
    sender_name="Maildienst",
    no_subject="(ohne Betreff)",
    date="%d.%m.%Y, %H:%M Uhr",
    subject_label="Betreff",
    sent_label="Gesendet",
    cause_label="Grund",
    reply_label="Antwort des Anbieters",
    problem_label="Technische Ursache",
    action_label="Was zu tun ist",
    gave_up="Der Maildienst hat es mehrmals versucht und jetzt aufgegeben.",
    doubt="Ein früherer Versuch brach ab, bevor der Anbieter den Empfang bestätigt hat: Vielleicht ist die E-Mail"
    " trotzdem angekommen. Fragen Sie nach, bevor Sie sie noch einmal senden.",
    whole_attached="Die E-Mail ist dieser Nachricht beigefügt.",
    header_attached="Die E-Mail ist groß; beigefügt sind nur ihre Kopfzeilen.",
    account_label="Konto",
    queue_id_label="Kennung für Rückfragen",
    closing="Diese Nachricht wurde automatisch vom Maildienst auf {hostname} erstellt.",
    for_another="Für {reader}: {subject}",
    advice={
        Advice.UNKNOWN_ADDRESS: Hint(
            cause="Diese Adresse ist beim Empfänger nicht bekannt.",
            action="Prüfen Sie, ob die Adresse richtig geschrieben ist, und senden Sie die E-Mail dann noch einmal. Ist"
            " sie richtig, fragen Sie den Empfänger auf anderem Weg nach seiner neuen Adresse.",
        ),
        Advice.UNKNOWN_DOMAIN: Hint(
            cause="Der Teil der Adresse nach dem @ wurde nicht gefunden oder nimmt keine E-Mails an.",
            action="Prüfen Sie, ob dieser Teil richtig geschrieben ist, und senden Sie die E-Mail dann noch einmal.",
        ),
        Advice.BAD_ADDRESS: Hint(
            cause="Der Anbieter hält die Adresse für ungültig.",
            action="Prüfen Sie die Adresse auf Tippfehler, Leerzeichen und Umlaute, und senden Sie die E-Mail dann"
            " noch einmal.",
        ),
        Advice.MAILBOX_FULL: Hint(
            cause="Das Postfach des Empfängers ist voll.",
            action="Sagen Sie dem Empfänger auf anderem Weg Bescheid, und senden Sie die E-Mail noch einmal, sobald er"
            " Platz geschaffen hat.",
        ),
        Advice.MAILBOX_CLOSED: Hint(
            cause="Das Postfach des Empfängers nimmt zurzeit keine E-Mails an.",
            action="Fragen Sie den Empfänger auf anderem Weg, ob er das Postfach noch benutzt.",
        ),
        Advice.TOO_LARGE: Hint(
            cause="Die E-Mail ist zu groß.",
            action="Verkleinern Sie die Anhänge, verteilen Sie sie auf mehrere E-Mails, oder senden Sie statt der"
            " Dateien einen Link.",
        ),
        Advice.SPAM: Hint(
            cause="Die E-Mail wurde als unerwünschte Werbung (Spam) eingestuft.",
            action="Ändern Sie den Betreff und den Text, lassen Sie Links und Bilder weg, und versuchen Sie es noch"
            " einmal. Hilft das nicht, bitten Sie den Empfänger, Ihre Adresse freizugeben.",
        ),
        Advice.ATTACHMENT: Hint(
            cause="Ein Anhang oder ein Inhalt der E-Mail gilt als gefährlich oder ist nicht erlaubt.",
            action="Senden Sie die Datei in einem anderen Format, zum Beispiel als PDF, oder einen Link darauf. Lassen"
            " Sie Ihren Rechner auf Viren prüfen, auch wenn Sie den Anhang für harmlos halten.",
        ),
        Advice.BLOCKED: Hint(
            cause="Der Empfänger nimmt von dem Anbieter, über den Sie senden, zurzeit keine E-Mails an, weil dieser"
            " auf einer Sperrliste steht.",
            action="An Ihrer E-Mail liegt es nicht. Versuchen Sie es später noch einmal, und geben Sie diese Nachricht"
            " an die Person weiter, die den Maildienst betreut.",
        ),
        Advice.UNPROVEN_SENDER: Hint(
            cause="Der Empfänger konnte nicht prüfen, ob die E-Mail wirklich von der Absenderadresse stammt"
            " (SPF, DKIM, DMARC).",
            action="Geben Sie diese Nachricht an die Person weiter, die den Maildienst betreut: Die Einträge der"
            " Absenderdomain müssen den Anbieter erlauben, über den gesendet wird.",
        ),
        Advice.POLICY: Hint(
            cause="Die E-Mail wurde wegen einer Regel des Anbieters oder des Empfängers abgelehnt.",
            action="Die Antwort des Anbieters nennt meist den Grund. Bitten Sie den Empfänger auf anderem Weg, Ihre"
            " Adresse freizugeben.",
        ),
        Advice.AUTHENTICATION: Hint(
            cause="Der Anbieter hat die Anmeldung des Maildienstes nicht angenommen.",
            action="An Ihrer E-Mail liegt es nicht. Geben Sie diese Nachricht an die Person weiter, die den Maildienst"
            " betreut, und senden Sie die E-Mail danach noch einmal.",
        ),
        Advice.SENDER_REFUSED: Hint(
            cause="Der Anbieter erlaubt diese Absenderadresse für das benutzte Konto nicht.",
            action="Geben Sie diese Nachricht an die Person weiter, die den Maildienst betreut: Adresse und Anmeldung"
            " des Kontos müssen zusammenpassen. Senden Sie die E-Mail danach noch einmal.",
        ),
        Advice.RELAY_DENIED: Hint(
            cause="Der Anbieter leitet E-Mails an diesen Empfänger nicht weiter.",
            action="Geben Sie diese Nachricht an die Person weiter, die den Maildienst betreut: Wahrscheinlich fehlt"
            " dem Konto die Anmeldung, oder der Server ist der falsche.",
        ),
        Advice.RATE: Hint(
            cause="In kurzer Zeit wurden mehr E-Mails gesendet, als der Anbieter oder der Empfänger zulässt.",
            action="Warten Sie bis morgen, und senden Sie die E-Mail dann noch einmal.",
        ),
        Advice.NO_UTF8: Hint(
            cause="Die Adresse enthält Umlaute oder andere Sonderzeichen, die der Anbieter nicht befördern kann.",
            action="Fragen Sie den Empfänger nach einer Adresse ohne Sonderzeichen.",
        ),
        Advice.CONTENT: Hint(
            cause="Der Empfänger kann die E-Mail in dieser Form nicht annehmen.",
            action="Senden Sie sie als einfachen Text oder mit Anhängen in einem üblichen Format, zum Beispiel PDF.",
        ),
        Advice.LOOP: Hint(
            cause="Die E-Mail wurde im Kreis weitergeleitet.",
            action="Bitten Sie den Empfänger, seine Weiterleitung zu prüfen.",
        ),
        Advice.UNREACHABLE: Hint(
            cause="Zum Server des Anbieters oder des Empfängers kam keine Verbindung zustande, oder sie brach ab.",
            action="Prüfen Sie, ob andere E-Mails ankommen, und senden Sie diese später noch einmal. Kommen auch andere"
            " nicht an, geben Sie diese Nachricht an die Person weiter, die den Maildienst betreut.",
        ),
        Advice.EXPIRED: Hint(
            cause="Der Anbieter oder der Empfänger hat die E-Mail immer wieder auf später vertröstet.",
            action="Senden Sie die E-Mail noch einmal. Ist sie dringend, wählen Sie einen anderen Weg.",
        ),
        Advice.ACCOUNT_GONE: Hint(
            cause="Das Konto, über das die E-Mail gesendet werden sollte, gibt es im Maildienst nicht mehr, oder es ist"
            " gesperrt.",
            action="Senden Sie die E-Mail mit einer anderen Absenderadresse noch einmal, oder fragen Sie die Person,"
            " die den Maildienst betreut.",
        ),
        Advice.OTHER: Hint(
            cause="Der Anbieter hat die E-Mail abgelehnt.",
            action="Die Antwort des Anbieters nennt meist den Grund. Hilft sie Ihnen nicht weiter, zeigen Sie diese"
            " Nachricht der Person, die den Maildienst betreut.",
        ),
    },
    alerts={
        Alert.ACCOUNT_PAUSED: AlertText(
            subject="Anmeldung abgelehnt: Konto {account}",
            what="Der Anbieter hat die Anmeldung des Kontos „{account}“ ({address}) abgelehnt. Deshalb wird über dieses"
            " Konto vorerst nichts gesendet. Keine E-Mail geht verloren: Alle warten, und die Frist zum Aufgeben steht"
            " still.",
            action="Berichtigen Sie Benutzername oder Passwort des Kontos in der Konfiguration; mehr ist nicht nötig."
            " Haben Sie stattdessen beim Anbieter etwas geändert, geht es von selbst weiter, sofort mit:"
            " relay account resume {command}",
        ),
        Alert.SENDER_REFUSED: AlertText(
            subject="Absender abgelehnt: Konto {account}",
            what="Der Anbieter erlaubt dem Konto „{account}“ nicht, als {address} zu senden. Die E-Mail, an der das"
            " auffiel, wurde nicht zugestellt; wer sie geschrieben hat, ist benachrichtigt. Weiteren E-Mails über"
            " dieses Konto wird es ebenso gehen.",
            action="Prüfen Sie beim Anbieter, ob {address} zu diesem Konto gehört und zum Senden freigegeben ist, und"
            " in der Konfiguration, ob Adresse und Anmeldung des Kontos zusammenpassen.",
        ),
        Alert.ACCOUNT_GONE: AlertText(
            subject="E-Mails zurückgehalten: Konto {account}",
            what="Das Konto „{account}“ steht nicht mehr in der Konfiguration oder ist ausgeschlossen. E-Mails, die"
            " darüber gesendet werden sollten, werden zurückgehalten (Anzahl: {count}).",
            action="„relay queue list“ zeigt die E-Mails. Nehmen Sie das Konto wieder in Betrieb und geben Sie sie mit"
            " „relay queue release KENNUNG“ frei, oder verwerfen Sie sie mit „relay queue delete KENNUNG“.",
        ),
        Alert.ARCHIVE_FAILED: AlertText(
            subject="Archivkopie nicht zugestellt: {address}",
            what="Die zentrale Kopie einer E-Mail konnte nicht an {address} zugestellt werden.",
            comfort="Die Empfänger der E-Mail selbst sind davon nicht betroffen.",
            action="Prüfen Sie, ob es das Archivpostfach noch gibt und ob es voll ist. Weitere Fälle stehen im"
            " Protokoll unter „archive_failed“.",
        ),
        Alert.UNCERTAIN_HELD: AlertText(
            subject="Vielleicht schon zugestellt: {subject}",
            what="Beim Senden dieser E-Mail brach die Verbindung ab, bevor der Anbieter den Empfang bestätigt hat."
            " Vielleicht ist sie angekommen, vielleicht nicht. Damit sie niemand mehrfach erhält, wird sie"
            " zurückgehalten.",
            action="Fragen Sie einen der Empfänger. Ist sie nicht angekommen, wird sie mit"
            " „relay queue release {queue_id}“ gesendet; ist sie angekommen, mit „relay queue delete {queue_id}“"
            " verworfen. Beides kann die Person tun, die den Maildienst betreut.",
        ),
    },
    reports={
        Report.FAILED: ReportText(
            subject="Nicht zugestellt: {subject}",
            opening="Ihre E-Mail konnte nicht zugestellt werden.",
            recipients_label="Nicht erreicht",
        ),
        Report.DELAYED: ReportText(
            subject="Noch nicht zugestellt: {subject}",
            opening="Ihre E-Mail konnte noch nicht zugestellt werden. Der Maildienst versucht es weiter.",
            recipients_label="Noch nicht erreicht",
            action="Sie brauchen nichts zu tun. Senden Sie die E-Mail nicht noch einmal, sonst kommt sie womöglich"
            " doppelt an. Gelingt die Zustellung nicht, erhalten Sie eine weitere Nachricht.",
        ),
        Report.RELAYED: ReportText(
            subject="Übergeben: {subject}",
            opening="Ihre E-Mail wurde dem Anbieter übergeben. Er bestätigt die Zustellung nicht; deshalb ist dies die"
            " letzte Nachricht dazu, wenn alles gut geht.",
            recipients_label="Auf dem Weg zu",
            action="Sie brauchen nichts zu tun.",
        ),
    },
)

_ENGLISH = Texts(
    sender_name="Mail service",
    no_subject="(no subject)",
    date="%Y-%m-%d, %H:%M",
    subject_label="Subject",
    sent_label="Sent",
    cause_label="Reason",
    reply_label="The provider's reply",
    problem_label="Technical cause",
    action_label="What to do",
    gave_up="The mail service tried several times and has now given up.",
    doubt="An earlier attempt broke off before the provider confirmed it: perhaps the e-mail arrived all the same. Ask"
    " before you send it again.",
    whole_attached="The e-mail is attached to this notice.",
    header_attached="The e-mail is large; only its header is attached.",
    account_label="Account",
    queue_id_label="Reference",
    closing="This notice was written automatically by the mail service on {hostname}.",
    for_another="For {reader}: {subject}",
    advice={
        Advice.UNKNOWN_ADDRESS: Hint(
            cause="The recipient's mail system does not know this address.",
            action="Check the spelling of the address and send the e-mail again. If it is right, ask the recipient in"
            " another way for the new address.",
        ),
        Advice.UNKNOWN_DOMAIN: Hint(
            cause="The part of the address after the @ was not found, or takes no e-mail.",
            action="Check the spelling of this part and send the e-mail again.",
        ),
        Advice.BAD_ADDRESS: Hint(
            cause="The provider says that the address is not valid.",
            action="Check the address for typing errors, spaces and accents, and send the e-mail again.",
        ),
        Advice.MAILBOX_FULL: Hint(
            cause="The recipient's mailbox is full.",
            action="Tell the recipient in another way, and send the e-mail again when there is room.",
        ),
        Advice.MAILBOX_CLOSED: Hint(
            cause="The recipient's mailbox takes no e-mail at present.",
            action="Ask the recipient in another way whether the mailbox is still in use.",
        ),
        Advice.TOO_LARGE: Hint(
            cause="The e-mail is too large.",
            action="Make the attachments smaller, spread them over several e-mails, or send a link in place of the"
            " files.",
        ),
        Advice.SPAM: Hint(
            cause="The e-mail was taken for unwanted advertising (spam).",
            action="Change the subject and the text, leave out links and pictures, and try again. If that does not"
            " help, ask the recipient to allow your address.",
        ),
        Advice.ATTACHMENT: Hint(
            cause="An attachment or other content of the e-mail is regarded as dangerous, or is not allowed.",
            action="Send the file in another format, for example as PDF, or send a link to it. Have your computer"
            " checked for viruses, even if you think that the attachment is harmless.",
        ),
        Advice.BLOCKED: Hint(
            cause="At present the recipient takes no e-mail from the provider that you send through, since it is on a"
            " block list.",
            action="Your e-mail is not the cause. Try again later, and pass this notice on to the person who looks"
            " after the mail service.",
        ),
        Advice.UNPROVEN_SENDER: Hint(
            cause="The recipient could not verify that the e-mail really comes from the sender's address"
            " (SPF, DKIM, DMARC).",
            action="Pass this notice on to the person who looks after the mail service: the records of the sender's"
            " domain must allow the provider that is used for sending.",
        ),
        Advice.POLICY: Hint(
            cause="The e-mail was refused because of a rule of the provider or the recipient.",
            action="The provider's reply usually names the reason. Ask the recipient in another way to allow your"
            " address.",
        ),
        Advice.AUTHENTICATION: Hint(
            cause="The provider did not accept the login of the mail service.",
            action="Your e-mail is not the cause. Pass this notice on to the person who looks after the mail service,"
            " and send the e-mail again afterwards.",
        ),
        Advice.SENDER_REFUSED: Hint(
            cause="The provider does not allow this sender address for the account that was used.",
            action="Pass this notice on to the person who looks after the mail service: the account's address and its"
            " login must belong together. Send the e-mail again afterwards.",
        ),
        Advice.RELAY_DENIED: Hint(
            cause="The provider does not pass e-mail on to this recipient.",
            action="Pass this notice on to the person who looks after the mail service: probably the account has no"
            " login, or the server is the wrong one.",
        ),
        Advice.RATE: Hint(
            cause="More e-mails were sent in a short time than the provider or the recipient allows.",
            action="Wait until tomorrow, and send the e-mail again.",
        ),
        Advice.NO_UTF8: Hint(
            cause="The address contains accents or other special characters that the provider cannot carry.",
            action="Ask the recipient for an address without special characters.",
        ),
        Advice.CONTENT: Hint(
            cause="The recipient cannot take the e-mail in this form.",
            action="Send it as plain text, or with attachments in a common format, for example PDF.",
        ),
        Advice.LOOP: Hint(
            cause="The e-mail was forwarded in a circle.",
            action="Ask the recipient to check the forwarding of the mailbox.",
        ),
        Advice.UNREACHABLE: Hint(
            cause="No connection to the provider's or the recipient's server was possible, or it broke off.",
            action="Check whether other e-mails arrive, and send this one again later. If others do not arrive either,"
            " pass this notice on to the person who looks after the mail service.",
        ),
        Advice.EXPIRED: Hint(
            cause="The provider or the recipient put the e-mail off again and again.",
            action="Send the e-mail again. If it is urgent, choose another way.",
        ),
        Advice.ACCOUNT_GONE: Hint(
            cause="The account that the e-mail was to be sent through is no longer part of the mail service, or is"
            " blocked.",
            action="Send the e-mail again with another sender address, or ask the person who looks after the mail"
            " service.",
        ),
        Advice.OTHER: Hint(
            cause="The provider refused the e-mail.",
            action="The provider's reply usually names the reason. If it does not help you, show this notice to the"
            " person who looks after the mail service.",
        ),
    },
    alerts={
        Alert.ACCOUNT_PAUSED: AlertText(
            subject="Login refused: account {account}",
            what='The provider refused the login of the account "{account}" ({address}). Nothing is sent through this'
            " account for now. No e-mail is lost: all of them wait, and the time limit for giving up stands still.",
            action="Correct the user name or the password of the account in the configuration; nothing more is needed."
            " If you changed something at the provider instead, it goes on by itself, and at once with:"
            " relay account resume {command}",
        ),
        Alert.SENDER_REFUSED: AlertText(
            subject="Sender refused: account {account}",
            what='The provider does not allow the account "{account}" to send as {address}. The e-mail with which this'
            " came up was not delivered; the person who wrote it has been told. Other e-mails through this account"
            " will fail in the same way.",
            action="Check with the provider whether {address} belongs to this account and may be used for sending, and"
            " in the configuration whether the account's address and login belong together.",
        ),
        Alert.ACCOUNT_GONE: AlertText(
            subject="E-mails held: account {account}",
            what='The account "{account}" is no longer in the configuration, or is excluded. E-mails that were to be'
            " sent through it are held (number: {count}).",
            action='"relay queue list" shows the e-mails. Bring the account back and release them with'
            ' "relay queue release ID", or discard them with "relay queue delete ID".',
        ),
        Alert.ARCHIVE_FAILED: AlertText(
            subject="Archive copy not delivered: {address}",
            what="The central copy of an e-mail could not be delivered to {address}.",
            comfort="The recipients of the e-mail itself are not affected.",
            action="Check whether the archive's mailbox still exists and whether it is full. Further cases are in the"
            ' log under "archive_failed".',
        ),
        Alert.UNCERTAIN_HELD: AlertText(
            subject="Perhaps delivered already: {subject}",
            what="While this e-mail was being sent, the connection broke off before the provider confirmed it. Perhaps"
            " it arrived, perhaps not. It is held, so that nobody gets it more than once.",
            action='Ask one of the recipients. If it did not arrive, "relay queue release {queue_id}" sends it; if it'
            ' did arrive, "relay queue delete {queue_id}" discards it. Both can be done by the person who looks after'
            " the mail service.",
        ),
    },
    reports={
        Report.FAILED: ReportText(
            subject="Not delivered: {subject}",
            opening="Your e-mail could not be delivered.",
            recipients_label="Not reached",
        ),
        Report.DELAYED: ReportText(
            subject="Not delivered yet: {subject}",
            opening="Your e-mail could not be delivered yet. The mail service keeps trying.",
            recipients_label="Not reached yet",
            action="You need not do anything. Do not send the e-mail again, or it may arrive twice. If it cannot be"
            " delivered, you will get another notice.",
        ),
        Report.RELAYED: ReportText(
            subject="Handed over: {subject}",
            opening="Your e-mail was handed over to the provider, who does not confirm deliveries. If all goes well,"
            " this is the last notice about it.",
            recipients_label="On the way to",
            action="You need not do anything.",
        ),
    },
)

TEXTS: Mapping[str, Texts] = {"de": _GERMAN, "en": _ENGLISH}
"""By the configuration's `language`."""
