"""What a finding is called, and what to do about it, in German."""

from typing import Final

from relay.rules.answers.advices import BY_OAUTH_DE
from relay.rules.passwords_end import LAST_DAY
from relay.watching.findings import Kind
from relay.watching.text_table import Language, Text

_BY_OAUTH: Final = BY_OAUTH_DE.replace("{account}", "{command}")
_ENDS_ON: Final = f"{LAST_DAY:%d.%m.%Y}"

GERMAN = Language(
    since="Seit",
    holds_up="Betroffen",
    reply="Antwort des Anbieters",
    cause="Technische Ursache",
    one_mail="1 E-Mail",
    mails="{count} E-Mails",
    days=("weniger als einem Tag", "1 Tag", "{count} Tagen"),
    solved="Erledigt: {title}",
    lasted="Es dauerte von {start} bis {end}.",
    moot="Das betrifft den Maildienst nicht mehr, denn die Datei relay.toml wurde geändert.",
    action="Was zu tun ist",
    collected="„relay account test {command}“ zeigt, ob es wieder geht. Dann wird von selbst abgeholt, sofort mit"
    " „relay poll {command}“.",
    mended="„relay account resume {command}“ versucht es danach sofort.",
    full=Text(
        title="Die Festplatte ist voll: {size} sind frei in {subject}",
        what="Neue E-Mails werden nicht mehr angenommen und nicht mehr abgeholt; was angenommen ist, wird noch"
        " gesendet. Programme, die senden, versuchen es wieder, und was nicht abgeholt wird, bleibt beim Anbieter.",
        action="Schaffen Sie Platz auf dieser Festplatte; dann geht es von selbst weiter. „df -h {command}“ zeigt, wie"
        " voll sie ist.",
        over="Die Festplatte hat wieder Platz.",
    ),
    lacking={
        Kind.LOGIN_REFUSED: Text(
            title="Konto „{subject}“ kann nicht senden, weil es sich nicht anmelden kann",
            what="Über dieses Konto wird nichts gesendet. Alle seine E-Mails warten; solange läuft keine Frist ab.",
            action="„relay account test {command}“ zeigt, was ihm fehlt.",
        ),
        Kind.MAILBOX_REFUSED: Text(
            title="Postfach des Kontos „{subject}“ kann nicht abgeholt werden, weil es sich nicht anmelden kann",
            what="Neue E-Mails bleiben beim Anbieter im Postfach; keine geht verloren.",
            action="„relay account test {command}“ zeigt, was ihm fehlt.",
            over="Das Postfach des Kontos „{subject}“ wird wieder abgeholt.",
        ),
    },
    texts={
        Kind.NO_ACCOUNT: Text(
            title="Der Maildienst hat noch kein Konto",
            what="Er beginnt, sobald in der Datei relay.toml eines steht.",
            action="Tragen Sie in relay.toml ein [[account]] ein; danach „relay check“ und „systemctl start relay“.",
        ),
        Kind.SERVICE_DOWN: Text(
            title="Der Maildienst läuft nicht",
            what="Nichts wird angenommen, gesendet oder abgeholt.",
            action="Starten Sie ihn mit „systemctl start relay“. Bleibt er nicht an, nennt „journalctl -u relay“ den"
            " Grund.",
        ),
        Kind.SERVICE_SILENT: Text(
            title="Der Maildienst antwortet nicht",
            what="Er scheint zu laufen, sagt aber nicht, wie es ihm geht.",
            action="Sehen Sie in sein Protokoll („journalctl -u relay“), und starten Sie ihn dann neu mit"
            " „systemctl restart relay“.",
        ),
        Kind.DISK_LOW: Text(
            title="Die Festplatte ist fast voll: {size} sind frei in {subject}",
            what="Ist der zurückgehaltene Platz erreicht, werden keine neuen E-Mails angenommen oder abgeholt; was"
            " angenommen ist, wird noch gesendet. Programme, die senden, versuchen es wieder, und was nicht abgeholt"
            " wird, bleibt beim Anbieter.",
            action="Schaffen Sie Platz auf dieser Festplatte, aber löschen Sie nichts im Ordner {subject} selbst. „df"
            " -h {command}“ zeigt, wie voll sie ist.",
            over="Die Festplatte hat wieder Platz.",
        ),
        Kind.LOGIN_REFUSED: Text(
            title="Konto „{subject}“ darf nicht senden: Der Anbieter lehnt die Anmeldung ab",
            what="Über dieses Konto wird nichts gesendet. Alle seine E-Mails warten; solange läuft keine Frist ab.",
            action="{login} Haben Sie beim Anbieter etwas geändert, wird es mit „relay account resume {command}“ sofort"
            " versucht.",
        ),
        Kind.SETTING_NEEDED: Text(
            title="Konto „{subject}“ kann nicht senden: Beim Anbieter muss etwas geändert werden",
            what="Der Anbieter bittet seit mehr als einer Stunde, es später zu versuchen; Warten hilft aber nicht.",
            action="Ändern Sie beim Anbieter, was seine Antwort verlangt; danach geht es von selbst weiter.",
            over="Der Anbieter nimmt E-Mails des Kontos „{subject}“ wieder an, oder es wartet keine mehr darauf.",
        ),
        Kind.PROVIDER_SILENT: Text(
            title="Konto „{subject}“ kann nicht senden: Der Anbieter ist nicht erreichbar",
            what="Seit mehr als einer Stunde kam bei keinem Versuch, über dieses Konto zu senden, eine Antwort des"
            " Anbieters.",
            action="Prüfen Sie, ob die Internetverbindung besteht und ob der Anbieter eine Störung meldet."
            " „relay account test {command}“ zeigt, woran es scheitert. Sobald es wieder geht, sendet der Maildienst"
            " von selbst weiter.",
            over="Der Anbieter des Kontos „{subject}“ antwortet wieder, oder es wartet nichts mehr auf ihn.",
        ),
        Kind.MAILBOX_REFUSED: Text(
            title="Postfach des Kontos „{subject}“ nicht abgeholt: Der Anbieter lehnt die Anmeldung ab",
            what="Neue E-Mails bleiben im Postfach beim Anbieter; keine geht verloren.",
            action="{login} „relay account test {command}“ zeigt, ob es geht.",
            over="Das Postfach des Kontos „{subject}“ wird wieder abgeholt.",
        ),
        Kind.MAILBOX_FAILING: Text(
            title="Postfach des Kontos „{subject}“ nicht abgeholt",
            what="Neue E-Mails bleiben im Postfach beim Anbieter; keine geht verloren.",
            action="„relay account test {command}“ zeigt, woran es scheitert. Sobald es wieder geht, wird von selbst"
            " abgeholt, sofort mit „relay poll {command}“.",
            over="Das Postfach des Kontos „{subject}“ wird wieder abgeholt.",
        ),
        Kind.QUARANTINE: Text(
            title="{mails} in Quarantäne",
            what="Was dort liegt, wurde abgeholt, konnte aber nicht in den Posteingang gelegt werden, in den es"
            " gehört.",
            action="„relay quarantine list“ zeigt sie und den Grund; „relay quarantine deliver KENNUNG --to BENUTZER“"
            " legt eine davon in einen Posteingang.",
            over="Die Quarantäne ist wieder leer.",
        ),
        Kind.ACCOUNT_GONE: Text(
            title="Konto „{subject}“ fehlt oder ist ausgenommen; seine E-Mails sind angehalten",
            what="Über dieses Konto können sie nicht mehr gesendet werden.",
            action="„relay queue list --account {command}“ zeigt sie. „relay queue move KENNUNG --account NAME“"
            " gibt einer davon ein anderes Konto, „relay queue release KENNUNG“ sendet sie dann; „relay queue delete"
            " KENNUNG“ verwirft sie.",
        ),
        Kind.HELD_DOUBTFUL: Text(
            title="Konto „{subject}“: {mails} angehalten, vielleicht schon gesendet",
            what="Ob der Anbieter sie schon hat, ist nicht sicher: Der letzte Versuch brach ab. Angehaltenes wird nicht"
            " von selbst noch einmal gesendet.",
            action="„relay queue list --state held“ zeigt sie. Fragen Sie einen Empfänger: „relay queue release"
            " KENNUNG“ sendet noch einmal, „relay queue delete KENNUNG“ verwirft.",
        ),
        Kind.HELD: Text(
            title="Konto „{subject}“: {mails} angehalten",
            what="Jemand muss entscheiden, was damit geschieht.",
            action="„relay queue list --state held“ zeigt sie; „relay queue release KENNUNG“ gibt eine frei,"
            " „relay queue delete KENNUNG“ verwirft sie.",
        ),
        Kind.MAIL_OVERDUE: Text(
            title="Konto „{subject}“: {mails} länger als üblich nicht übergeben",
            what="Der Anbieter hat sie noch nicht angenommen. Die Absender erhalten eine Nachricht darüber, außer sie"
            " haben das abbestellt.",
            action="„relay queue list --account {command}“ nennt die Gründe. Wenn die Gegenseite von selbst wieder"
            " antworten wird, brauchen Sie nichts zu tun.",
            over="Konto „{subject}“: Keine E-Mail wartet mehr länger als üblich.",
        ),
        Kind.ARCHIVE_FAILING: Text(
            title="Das Archiv {subject} erhält seine Kopien nicht",
            what="Die letzte Kopie für das Archiv konnte nicht zugestellt werden. Mit der Zustellung an die Empfänger"
            " selbst hat das nichts zu tun.",
            action="Prüfen Sie, ob es das Archivpostfach noch gibt und ob es voll ist.",
        ),
        Kind.BACKUP_FAILED: Text(
            title="Die Sicherung ist fehlgeschlagen",
            what="Die letzte gute Sicherung bleibt erhalten, ist aber von Tag zu Tag weniger wert.",
            action="Beseitigen Sie die genannte Ursache, und versuchen Sie es dann mit „relay backup“.",
            over="Die Sicherung gelingt wieder.",
        ),
        Kind.BACKUP_OLD: Text(
            title="Die letzte Sicherung ist älter als anderthalb Tage",
            what="Was seither hereinkam, ginge mit der Festplatte verloren.",
            action="Prüfen Sie, ob der Maildienst nachts läuft und ob in {subject} geschrieben werden kann.",
            over="Es gibt wieder eine frische Sicherung.",
        ),
        Kind.BACKUP_NONE: Text(
            title="Es gibt noch keine Sicherung",
            what="Die erste wird zu der Uhrzeit gemacht, die in der Datei relay.toml unter [backup] steht, wenn der"
            " Maildienst dann läuft.",
            action="Prüfen Sie, ob der Maildienst um diese Zeit läuft; „relay backup“ macht sofort eine.",
            over="Es gibt jetzt eine Sicherung.",
        ),
        Kind.CERTIFICATE_EXPIRED: Text(
            title="Das Zertifikat {subject} ist abgelaufen",
            what="Mailprogramme weigern sich zu senden oder warnen davor.",
            action="Legen Sie ein neues an seine Stelle (das eigene des Büros: „relay certificate make“); der"
            " Maildienst übernimmt es von selbst.",
            over="Das Zertifikat {subject} wurde erneuert.",
        ),
        Kind.CERTIFICATE_EXPIRES: Text(
            title="Das Zertifikat {subject} läuft in {days} ab",
            what="Danach weigern sich Mailprogramme zu senden oder warnen davor.",
            action="Legen Sie ein neues an seine Stelle (das eigene des Büros: „relay certificate make“); der"
            " Maildienst übernimmt es von selbst.",
            over="Das Zertifikat {subject} wurde erneuert.",
        ),
        Kind.LOGIN_ENDS: Text(
            title="Konto „{subject}“ meldet sich bei Microsoft mit Passwort an; das endet am " + _ENDS_ON,
            what="Danach lehnt Microsoft das Senden mit Passwort ab, außer der Administrator von Microsoft 365 erlaubt"
            " es für länger. E-Mails dieses Kontos würden dann warten.",
            action=_BY_OAUTH,
            over="Konto „{subject}“ meldet sich bei Microsoft nicht mehr mit Passwort an.",
        ),
        Kind.LOGIN_ENDED: Text(
            title="Konto „{subject}“ meldet sich bei Microsoft noch mit Passwort an; vorgesehen war das bis "
            + _ENDS_ON,
            what="Seither nimmt Microsoft ein Passwort nur noch an, wenn der Administrator von Microsoft 365 es"
            " erlaubt, und eines Tages auch das nicht mehr.",
            action=_BY_OAUTH,
        ),
        Kind.PROOF_ENDS: Text(
            title="Clientgeheimnis oder Zertifikat des Kontos „{subject}“ läuft in {days} ab",
            what="Dann gilt sein Clientgeheimnis (client_secret) oder Zertifikat für die Anmeldung nicht mehr. Danach"
            " kann das Konto weder senden noch abholen, und seine E-Mails warten.",
            action="Legen Sie auf der Seite des Anbieters zur App ein neues Clientgeheimnis oder Zertifikat an. Ein"
            " Clientgeheimnis geben Sie hier ein: „relay account edit {command} --client-secret --secret-expires TAG“,"
            " mit dem Tag, an dem es endet. Ein Zertifikat setzen Sie an die Stelle des alten; danach „relay reload“.",
            over="Clientgeheimnis oder Zertifikat des Kontos „{subject}“ gilt wieder länger.",
        ),
        Kind.SIGN_IN_NEEDED: Text(
            title="Für das Konto „{subject}“ hat sich noch niemand angemeldet",
            what="Bis dahin kann das Konto weder senden noch abholen; seine E-Mails warten.",
            action="Melden Sie es mit „relay account authorize {command}“ an; dann geht es von selbst weiter.",
        ),
        Kind.SIGN_IN_OVER: Text(
            title="Die Anmeldung des Kontos „{subject}“ beim Anbieter gilt nicht mehr",
            what="Seitdem wurde sie nicht gebraucht. Die nächste E-Mail des Kontos würde warten.",
            action="Melden Sie sich mit „relay account authorize {command}“ neu an; dann geht es von selbst weiter.",
            over="Das Konto „{subject}“ ist wieder angemeldet.",
        ),
        Kind.SIGN_IN_ENDS: Text(
            title="Die Anmeldung des Kontos „{subject}“ beim Anbieter endet in {days}",
            what="Dann beendet der Anbieter sie, wie er selbst gesagt hat, oder weil sie lange nicht benutzt wurde."
            " Danach kann das Konto weder senden noch abholen, und seine E-Mails warten.",
            action="Melden Sie sich vorher mit „relay account authorize {command}“ neu an. Endet sie bei Google alle"
            " sieben Tage, steht die App dort auf „Test“: Veröffentlichen Sie sie zuerst („In Produktion“).",
            over="Die Anmeldung des Kontos „{subject}“ gilt wieder länger.",
        ),
        Kind.CONFIGURATION_CHANGED: Text(
            title="Die Datei relay.toml wurde geändert, und der Maildienst kennt die Änderung noch nicht",
            what="Der Maildienst arbeitet mit dem weiter, was er zuletzt gelesen hat.",
            action="„relay check“ zeigt, ob sie richtig ist; „relay reload“ setzt sie in Kraft.",
        ),
        Kind.PAUSED: Text(
            title="Konto „{subject}“ wurde von Hand angehalten",
            what="Über dieses Konto wird nichts gesendet. Alle seine E-Mails warten; solange läuft keine Frist ab.",
            action="Mit „relay account resume {command}“ sendet es wieder.",
        ),
        Kind.DAY_FULL: Text(
            title="Konto „{subject}“ hat seine Empfänger für heute verbraucht ({number})",
            what="Was darauf wartet, wird morgen gesendet.",
            action="Sie brauchen nichts zu tun. Erlaubt der Anbieter mehr, erhöhen Sie recipients_per_day.",
        ),
        Kind.BOUNCED: Text(
            title="{mails} der letzten 7 Tage nicht an alle zugestellt",
            what="Zu jeder ging eine Nachricht an den Absender, außer wo das nicht gewünscht war.",
            action="„relay queue list --state failed“ und „relay queue list --state partly“ zeigen sie.",
        ),
    },
)
