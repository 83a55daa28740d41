"""Every word of a notice in German, for readers who know nothing of mail servers."""

from relay.rules.answers.row import Advice
from relay.rules.notice_words import Alert, AlertText, Hint, Others, Report, ReportText, Texts

GERMAN = Texts(
    sender_name="Maildienst",
    no_subject="(ohne Betreff)",
    date="%d.%m.%Y, %H:%M Uhr",
    subject_label="Betreff",
    sent_label="Gesendet",
    cause_label="Grund",
    reply_label="Antwort des E-Mail-Anbieters",
    problem_label="Technische Ursache",
    action_label="Was zu tun ist",
    again="noch einmal",
    again_to_one="nur an diese Adresse noch einmal",
    again_to_several="nur an diese Adressen noch einmal",
    not_yours="An Ihrer E-Mail liegt es nicht, und Sie haben nichts falsch gemacht. Die Person, die den Maildienst"
    " betreut, ist benachrichtigt. Senden Sie die E-Mail {again}, sobald sie den Fehler behoben hat.",
    not_yours_yet="An Ihrer E-Mail liegt es nicht. Die Person, die den Maildienst betreut, ist benachrichtigt.",
    then_again="Senden Sie die E-Mail danach {again}.",
    others_have_it="Die übrigen Empfänger brauchen die E-Mail nicht noch einmal.",
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
            action="Prüfen Sie, ob die Adresse richtig geschrieben ist, und senden Sie die E-Mail dann {again}. Ist"
            " sie richtig, fragen Sie den Empfänger auf anderem Weg nach seiner neuen Adresse.",
        ),
        Advice.UNKNOWN_DOMAIN: Hint(
            cause="Der Teil der Adresse nach dem @ wurde nicht gefunden oder nimmt keine E-Mails an.",
            action="Prüfen Sie, ob dieser Teil richtig geschrieben ist, und senden Sie die E-Mail dann {again}.",
        ),
        Advice.BAD_ADDRESS: Hint(
            cause="Ihr E-Mail-Anbieter hält die Adresse für ungültig.",
            action="Prüfen Sie die Adresse auf Tippfehler, Leerzeichen und Umlaute, und senden Sie die E-Mail dann"
            " {again}.",
        ),
        Advice.MAILBOX_FULL: Hint(
            cause="Das Postfach des Empfängers ist voll.",
            action="Sagen Sie dem Empfänger auf anderem Weg Bescheid, und senden Sie die E-Mail {again}, sobald er"
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
            action="Ändern Sie den Betreff und den Text, lassen Sie Links und Bilder weg, und senden Sie sie {again}."
            " Hilft das nicht, bitten Sie den Empfänger, Ihre Adresse freizugeben.",
        ),
        Advice.ATTACHMENT: Hint(
            cause="Ein Anhang oder ein Inhalt der E-Mail gilt als gefährlich oder ist nicht erlaubt.",
            action="Senden Sie die Datei in einem anderen Format, zum Beispiel als PDF, oder einen Link darauf. Lassen"
            " Sie Ihren Rechner auf Viren prüfen, auch wenn Sie den Anhang für harmlos halten.",
        ),
        Advice.BLOCKED: Hint(
            cause="Der Empfänger nimmt von dem E-Mail-Anbieter, über den Sie senden, zurzeit keine E-Mails an, weil"
            " dieser auf einer Sperrliste steht.",
            action="An Ihrer E-Mail liegt es nicht. Senden Sie sie später {again}, und geben Sie diese Nachricht"
            " an die Person weiter, die den Maildienst betreut.",
        ),
        Advice.UNPROVEN_SENDER: Hint(
            cause="Der Empfänger konnte nicht prüfen, ob die E-Mail wirklich von der Absenderadresse stammt.",
            action="Geben Sie diese Nachricht an die Person weiter, die den Maildienst betreut: Für den Teil der"
            " Absenderadresse nach dem @ muss eingetragen sein, dass der Anbieter in seinem Namen senden darf (SPF,"
            " DKIM, DMARC).",
        ),
        Advice.POLICY: Hint(
            cause="Die E-Mail wurde wegen einer Regel Ihres E-Mail-Anbieters oder des Empfängers abgelehnt.",
            action="Die Antwort des Anbieters nennt meist den Grund. Bitten Sie den Empfänger auf anderem Weg, Ihre"
            " Adresse freizugeben.",
        ),
        Advice.AUTHENTICATION: Hint(
            cause="Ihr E-Mail-Anbieter hat die Anmeldung des Maildienstes nicht angenommen.",
            action="An Ihrer E-Mail liegt es nicht. Geben Sie diese Nachricht an die Person weiter, die den Maildienst"
            " betreut, und senden Sie die E-Mail danach {again}.",
        ),
        Advice.SENDER_REFUSED: Hint(
            cause="Ihr E-Mail-Anbieter erlaubt diese Absenderadresse für das benutzte Konto nicht.",
            action="Geben Sie diese Nachricht an die Person weiter, die den Maildienst betreut: Adresse und Anmeldung"
            " des Kontos müssen zusammenpassen. Senden Sie die E-Mail danach {again}.",
        ),
        Advice.RELAY_DENIED: Hint(
            cause="Ihr E-Mail-Anbieter leitet E-Mails an diesen Empfänger nicht weiter.",
            action="Geben Sie diese Nachricht an die Person weiter, die den Maildienst betreut: Wahrscheinlich fehlt"
            " dem Konto die Anmeldung, oder es ist der falsche Server eingetragen.",
        ),
        Advice.RATE: Hint(
            cause="In kurzer Zeit wurden mehr E-Mails gesendet, als Ihr E-Mail-Anbieter oder der Empfänger zulässt.",
            action="Warten Sie bis morgen, und senden Sie die E-Mail dann {again}.",
        ),
        Advice.RECIPIENTS: Hint(
            cause="Die E-Mail hat mehr Empfänger, als Ihr E-Mail-Anbieter auf einmal zulässt.",
            action="Verteilen Sie die Empfänger auf mehrere E-Mails.",
        ),
        Advice.NO_UTF8: Hint(
            cause="Die Adresse enthält Umlaute oder andere Sonderzeichen, die Ihr E-Mail-Anbieter nicht verarbeiten"
            " kann.",
            action="Fragen Sie den Empfänger nach einer Adresse ohne Sonderzeichen.",
        ),
        Advice.CONTENT: Hint(
            cause="Der Empfänger kann die E-Mail in dieser Form nicht annehmen.",
            action="Senden Sie sie {again}, und zwar als einfachen Text oder mit Anhängen in einem üblichen Format,"
            " zum Beispiel PDF.",
        ),
        Advice.LOOP: Hint(
            cause="Die E-Mail wurde im Kreis weitergeleitet.",
            action="Bitten Sie den Empfänger, seine Weiterleitung zu prüfen.",
        ),
        Advice.UNREACHABLE: Hint(
            cause="Zum Server Ihres E-Mail-Anbieters oder des Empfängers kam keine Verbindung zustande, oder sie brach"
            " ab.",
            action="Schicken Sie jemand anderem eine E-Mail, und fragen Sie, ob sie ankommt. Kommt sie an, senden Sie"
            " diese hier {again}; sonst geben Sie diese Nachricht an die Person weiter, die den Maildienst betreut.",
        ),
        Advice.EXPIRED: Hint(
            cause="Ihr E-Mail-Anbieter oder der Empfänger hat die E-Mail jedes Mal auf später verschoben.",
            action="Senden Sie die E-Mail {again}. Ist sie dringend, wählen Sie einen anderen Weg.",
        ),
        Advice.OTHER: Hint(
            cause="Ihr E-Mail-Anbieter hat die E-Mail abgelehnt.",
            action="Die Antwort des Anbieters nennt meist den Grund. Hilft sie Ihnen nicht weiter, zeigen Sie diese"
            " Nachricht der Person, die den Maildienst betreut.",
        ),
    },
    cannot_log_in=AlertText(
        subject="Anmeldung nicht möglich: Konto {account}",
        what="Dem Konto „{account}“ ({address}) fehlt, womit es sich beim E-Mail-Anbieter anmelden kann. Deshalb wird"
        " über dieses Konto vorerst nichts gesendet. Keine E-Mail geht verloren: Alle warten, und solange läuft"
        " keine Frist ab.",
        action="„relay account test {command}“ zeigt, was fehlt.",
        mended="„relay account resume {command}“ versucht es danach sofort.",
    ),
    alerts={
        Alert.ACCOUNT_PAUSED: AlertText(
            subject="Anmeldung abgelehnt: Konto {account}",
            what="Der E-Mail-Anbieter hat die Anmeldung des Kontos „{account}“ ({address}) abgelehnt. Deshalb wird"
            " über dieses Konto vorerst nichts gesendet. Keine E-Mail geht verloren: Alle warten, und solange läuft"
            " keine Frist ab.",
            action="{login} Haben Sie stattdessen beim Anbieter etwas geändert, geht es nach einiger Zeit von selbst"
            " weiter; sofort geht es mit dem Befehl „relay account resume {command}“ weiter.",
            mended="„relay account resume {command}“ versucht es danach sofort.",
        ),
        Alert.SENDER_REFUSED: AlertText(
            subject="Absender abgelehnt: Konto {account}",
            what="Der E-Mail-Anbieter erlaubt dem Konto „{account}“ nicht, als {address} zu senden. Die betroffene"
            " E-Mail wurde nicht zugestellt; wer sie geschrieben hat, ist benachrichtigt. Weitere E-Mails über dieses"
            " Konto lehnt er ebenso ab.",
            action="Prüfen Sie beim Anbieter, ob {address} zu diesem Konto gehört und zum Senden freigegeben ist, und"
            " in der Datei relay.toml, ob Adresse und Anmeldung des Kontos zusammenpassen.",
        ),
        Alert.SETTING_NEEDED: AlertText(
            subject="E-Mails abgelehnt, weil eine Einstellung fehlt: Konto {account}",
            what="Der E-Mail-Anbieter nimmt über das Konto „{account}“ ({address}) keine oder nicht alle E-Mails an,"
            " bis etwas geändert wird. Die betroffene E-Mail wurde nicht zugestellt; wer sie geschrieben hat, ist"
            " benachrichtigt. Weiteren E-Mails geht es ebenso.",
            action="Tun Sie, was die Antwort des Anbieters verlangt.",
            mended="Ob es dann geht, zeigt „relay account test {command}“.",
        ),
        Alert.ACCOUNT_GONE: AlertText(
            subject="E-Mails angehalten: Konto {account}",
            what="Das Konto „{account}“ steht nicht mehr in der Datei relay.toml oder ist vom Maildienst ausgenommen."
            " {count} E-Mails, die darüber gesendet werden sollten, sind angehalten.",
            what_one="Das Konto „{account}“ steht nicht mehr in der Datei relay.toml oder ist vom Maildienst"
            " ausgenommen. Eine E-Mail, die darüber gesendet werden sollte, ist angehalten.",
            action="„relay queue list“ zeigt die E-Mails. Geben Sie ihnen mit „relay queue move KENNUNG --account NAME“"
            " ein anderes Konto, oder nehmen Sie dieses wieder in Betrieb; danach sendet sie"
            " „relay queue release KENNUNG“. „relay queue delete KENNUNG“ löscht sie endgültig.",
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
            what="Beim Senden dieser E-Mail brach die Verbindung ab, bevor der E-Mail-Anbieter den Empfang bestätigt"
            " hat. Vielleicht ist sie angekommen, vielleicht nicht. Damit sie niemand doppelt erhält, ist sie"
            " angehalten.",
            action="Fragen Sie einen der Empfänger. Ist sie nicht angekommen, senden Sie sie mit „relay queue release"
            " {queue_id}“; ist sie angekommen, löschen Sie sie mit „relay queue delete {queue_id}“.",
            helper="Beides tut die Person, die den Maildienst betreut.",
        ),
    },
    reports={
        Report.FAILED: ReportText(
            subject="Nicht zugestellt: {subject}",
            subject_some="Nicht an alle zugestellt: {subject}",
            openings={
                Others.NONE: "Ihre E-Mail konnte nicht zugestellt werden.",
                Others.HANDED_OVER: "Ihre E-Mail konnte nicht an alle Empfänger zugestellt werden; für die übrigen hat"
                " Ihr E-Mail-Anbieter sie angenommen.",
                Others.OPEN: "Ihre E-Mail konnte nicht an alle Empfänger zugestellt werden; bei den übrigen steht es"
                " noch nicht fest.",
                Others.MIXED: "Ihre E-Mail konnte nicht an alle Empfänger zugestellt werden; für einen Teil der"
                " übrigen hat Ihr E-Mail-Anbieter sie angenommen, bei den anderen steht es noch nicht fest.",
            },
            recipients_label="Nicht zugestellt an",
        ),
        Report.DELAYED: ReportText(
            subject="Noch nicht zugestellt: {subject}",
            subject_some="Noch nicht an alle zugestellt: {subject}",
            openings={
                Others.NONE: "Ihre E-Mail konnte noch nicht zugestellt werden.",
                Others.HANDED_OVER: "Ihre E-Mail konnte noch nicht an alle Empfänger zugestellt werden; für die"
                " übrigen hat Ihr E-Mail-Anbieter sie angenommen.",
                Others.OPEN: "Ihre E-Mail konnte noch nicht zugestellt werden.",
                Others.MIXED: "Ihre E-Mail konnte noch nicht an alle Empfänger zugestellt werden; für einen Teil der"
                " übrigen hat Ihr E-Mail-Anbieter sie angenommen.",
            },
            goes_on="Der Maildienst versucht es weiter.",
            goes_on_until="Der Maildienst versucht es weiter, längstens bis {until}.",
            recipients_label="Noch nicht zugestellt an",
            action="Sie brauchen nichts zu tun. Senden Sie die E-Mail nicht noch einmal, sonst kommt sie womöglich"
            " doppelt an. Gelingt die Zustellung nicht, erhalten Sie eine weitere Nachricht.",
        ),
        Report.RELAYED: ReportText(
            subject="Übergeben: {subject}",
            openings=dict.fromkeys(
                Others,
                "Ihre E-Mail wurde dem E-Mail-Anbieter übergeben. Ob sie angekommen ist, meldet er nicht. Wird sie"
                " später doch abgelehnt, schickt er meist eine eigene Nachricht an die Absenderadresse.",
            ),
            recipients_label="Auf dem Weg zu",
            action="Sie brauchen nichts zu tun.",
        ),
    },
)
"""Plain and polite; no word of computer science, and none of English."""
