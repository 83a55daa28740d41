"""Every word of a notice in German, for readers who know nothing of mail servers."""

from relay.rules.notice_advice import Advice
from relay.rules.notice_words import Alert, AlertText, Hint, Others, Report, ReportText, Texts

GERMAN = Texts(
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
    header_attached="Beigefügt sind die Kopfzeilen der E-Mail.",
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
            cause="Der Empfänger konnte nicht prüfen, ob die E-Mail wirklich von der Absenderadresse stammt.",
            action="Geben Sie diese Nachricht an die Person weiter, die den Maildienst betreut: Die Einträge zum Teil"
            " der Absenderadresse nach dem @ (SPF, DKIM, DMARC) müssen den Anbieter erlauben, über den gesendet wird.",
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
            " davon ausgenommen.",
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
            " Konto vorerst nichts gesendet. Keine E-Mail geht verloren: Alle warten, und solange läuft keine Frist"
            " ab.",
            action="Berichtigen Sie Benutzername oder Passwort des Kontos in den Einstellungen; mehr ist nicht nötig."
            " Haben Sie stattdessen beim Anbieter etwas geändert, geht es nach einiger Zeit von selbst weiter; sofort"
            " geht es mit dem Befehl „relay account resume {command}“ weiter.",
        ),
        Alert.SENDER_REFUSED: AlertText(
            subject="Absender abgelehnt: Konto {account}",
            what="Der Anbieter erlaubt dem Konto „{account}“ nicht, als {address} zu senden. Die E-Mail, an der das"
            " auffiel, wurde nicht zugestellt; wer sie geschrieben hat, ist benachrichtigt. Weitere E-Mails über dieses"
            " Konto lehnt er ebenso ab.",
            action="Prüfen Sie beim Anbieter, ob {address} zu diesem Konto gehört und zum Senden freigegeben ist, und"
            " in den Einstellungen, ob Adresse und Anmeldung des Kontos zusammenpassen.",
        ),
        Alert.ACCOUNT_GONE: AlertText(
            subject="E-Mails angehalten: Konto {account}",
            what="Das Konto „{account}“ steht nicht mehr in den Einstellungen oder ist vom Maildienst ausgenommen."
            " E-Mails, die darüber gesendet werden sollten, sind angehalten (Anzahl: {count}).",
            action="„relay queue list“ zeigt die E-Mails. Geben Sie ihnen mit „relay queue move KENNUNG --account NAME“"
            " ein anderes Konto, oder nehmen Sie dieses wieder in Betrieb; danach sendet sie"
            " „relay queue release KENNUNG“. „relay queue delete KENNUNG“ verwirft sie.",
        ),
        Alert.ARCHIVE_FAILED: AlertText(
            subject="Blindkopie nicht zugestellt: {address}",
            what="Die zentrale Blindkopie einer E-Mail konnte nicht an {address} zugestellt werden.",
            comfort="Die Empfänger der E-Mail selbst sind davon nicht betroffen.",
            action="Prüfen Sie, ob es das Archivpostfach noch gibt und ob es voll ist. Weitere Fälle stehen im"
            " Protokoll unter „archive_failed“.",
        ),
        Alert.UNCERTAIN_HELD: AlertText(
            subject="Vielleicht schon gesendet: {subject}",
            what="Beim Senden dieser E-Mail brach die Verbindung ab, bevor der Anbieter den Empfang bestätigt hat."
            " Vielleicht ist sie angekommen, vielleicht nicht. Damit sie niemand mehrfach erhält, ist sie"
            " angehalten.",
            action="Fragen Sie einen der Empfänger. Ist sie nicht angekommen, wird sie mit"
            " „relay queue release {queue_id}“ gesendet; ist sie angekommen, mit „relay queue delete {queue_id}“"
            " verworfen. Beides kann die Person tun, die den Maildienst betreut.",
        ),
    },
    reports={
        Report.FAILED: ReportText(
            subject="Nicht zugestellt: {subject}",
            subject_some="Nicht an alle zugestellt: {subject}",
            openings={
                Others.NONE: "Ihre E-Mail konnte nicht zugestellt werden.",
                Others.HANDED_OVER: "Ihre E-Mail konnte nicht an alle Empfänger zugestellt werden; für die übrigen hat"
                " der Anbieter sie angenommen.",
                Others.OPEN: "Ihre E-Mail konnte nicht an alle Empfänger zugestellt werden; bei den übrigen steht es"
                " noch nicht fest.",
                Others.MIXED: "Ihre E-Mail konnte nicht an alle Empfänger zugestellt werden; für einen Teil der übrigen"
                " hat der Anbieter sie angenommen, bei den anderen steht es noch nicht fest.",
            },
            recipients_label="Nicht erreicht",
        ),
        Report.DELAYED: ReportText(
            subject="Noch nicht zugestellt: {subject}",
            subject_some="Noch nicht an alle zugestellt: {subject}",
            openings={
                Others.NONE: "Ihre E-Mail konnte noch nicht zugestellt werden.",
                Others.HANDED_OVER: "Ihre E-Mail konnte noch nicht an alle Empfänger zugestellt werden; für die übrigen"
                " hat der Anbieter sie angenommen.",
                Others.OPEN: "Ihre E-Mail konnte noch nicht zugestellt werden.",
                Others.MIXED: "Ihre E-Mail konnte noch nicht an alle Empfänger zugestellt werden; für einen Teil der"
                " übrigen hat der Anbieter sie angenommen.",
            },
            goes_on="Der Maildienst versucht es weiter.",
            goes_on_until="Der Maildienst versucht es weiter, längstens bis {until}.",
            recipients_label="Noch nicht erreicht",
            action="Sie brauchen nichts zu tun. Senden Sie die E-Mail nicht noch einmal, sonst kommt sie womöglich"
            " doppelt an. Gelingt die Zustellung nicht, erhalten Sie eine weitere Nachricht.",
        ),
        Report.RELAYED: ReportText(
            subject="Übergeben: {subject}",
            openings=dict.fromkeys(
                Others,
                "Ihre E-Mail wurde dem Anbieter übergeben. Er bestätigt die Zustellung nicht; deshalb ist dies die"
                " letzte Nachricht dazu, wenn alles gut geht.",
            ),
            recipients_label="Auf dem Weg zu",
            action="Sie brauchen nichts zu tun.",
        ),
    },
)
"""Plain and polite; no word of computer science, and none of English."""
