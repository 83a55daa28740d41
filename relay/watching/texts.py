"""What a finding is called, and what to do about it, in German and in English, for readers who run no servers.

The tables are complete in both languages; a test proves it. Names in braces are filled in by `describe`: {subject},
{command} (the subject as a shell wants it), {mails} (with its noun), {number}, {days}, {size}.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from relay.rules.causes import explain_cause, read_cause
from relay.rules.notice_mime import plain
from relay.watching.findings import LOGIN_REFUSED, Finding, Kind

_LONGEST = 200
_OF_SERVERS = frozenset({Kind.PROVIDER_SILENT, Kind.MAILBOX_REFUSED, Kind.MAILBOX_FAILING})
_REPLY = re.compile(r"[2-5][0-9]{2}[ -]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What people read of one finding."""

    title: str
    """One line: what is wrong."""
    what: str
    """What that means."""
    action: str
    """What to do."""
    over: str
    """What is said when it is over; empty for what nobody is told of."""
    facts: tuple[tuple[str, str], ...]
    """Labels and values: since when, what it holds up, what was said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Text:
    title: str
    what: str
    action: str
    over: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """The words of one language that belong to no kind."""

    since: str
    holds_up: str
    reply: str
    """The label of what a provider said."""
    cause: str
    """The label of what was seen in place of that."""
    one_mail: str
    mails: str
    """With {count}."""
    days: tuple[str, str, str]
    """None, one, and several with {count}; in German as they stand behind "in"."""
    solved: str
    """The subject of an all-clear, with {title}."""
    lasted: str
    """With {start} and {end}."""
    moot: str
    """What is said where something is over since the configuration was changed."""
    action: str
    """The label of what to do."""
    texts: Mapping[Kind, _Text]


_ENGLISH = Language(
    since="Since",
    holds_up="Held up",
    reply="The provider's reply",
    cause="Technical cause",
    one_mail="1 e-mail",
    mails="{count} e-mails",
    days=("less than a day", "1 day", "{count} days"),
    solved="Solved: {title}",
    lasted="It lasted from {start} to {end}.",
    moot="This does not concern the mail service any more, since the configuration was changed.",
    action="What to do",
    texts={
        Kind.SERVICE_DOWN: _Text(
            title="The mail service is not running",
            what="Nothing is taken, sent or collected.",
            action='Start it with "systemctl start relay". If it does not stay up, "journalctl -u relay" says why.',
        ),
        Kind.SERVICE_SILENT: _Text(
            title="The mail service gives no answer",
            what="It seems to run, but does not say how it does.",
            action='Look into its log ("journalctl -u relay"), then restart it with "systemctl restart relay".',
        ),
        Kind.DISK_LOW: _Text(
            title="The disk is nearly full: {size} are free in {subject}",
            what="When the room that is kept back is reached, no new e-mail is taken or collected; what was taken is"
            " still sent. Programs that send try again, and what is not collected stays at the provider.",
            action='Make room on this disk. "df -h {command}" shows how full it is.',
            over="The disk has room again.",
        ),
        Kind.LOGIN_REFUSED: _Text(
            title='Account "{subject}" may not send: the provider refuses the login',
            what="Nothing is sent through this account. All its e-mails wait, and none of them expires meanwhile.",
            action="Correct the user name or the password of the account in the configuration; nothing more is needed."
            ' If you changed something at the provider, "relay account resume {command}" tries it at once.',
        ),
        Kind.PROVIDER_SILENT: _Text(
            title='Account "{subject}" cannot send: its provider is out of reach',
            what="For more than an hour no attempt to send through this account has had an answer from the provider.",
            action="Check whether the internet connection works, and whether the provider reports a disturbance."
            ' "relay account test {command}" shows where it fails. When it works again, it goes on by itself.',
            over='The provider of account "{subject}" answers again, or nothing waits for it any more.',
        ),
        Kind.MAILBOX_REFUSED: _Text(
            title='Mailbox of account "{subject}" cannot be collected: the provider refuses the login',
            what="New e-mails stay in the mailbox at the provider; none is lost.",
            action="Correct the user name or the password under [account.pop3] of this account in the configuration;"
            ' nothing more is needed. "relay account test {command}" shows whether it works.',
            over='The mailbox of account "{subject}" is collected again.',
        ),
        Kind.MAILBOX_FAILING: _Text(
            title='Mailbox of account "{subject}" cannot be collected',
            what="New e-mails stay in the mailbox at the provider; none is lost.",
            action='"relay account test {command}" shows where it fails. When it works again, it goes on by itself;'
            ' "relay poll {command}" collects at once.',
            over='The mailbox of account "{subject}" is collected again.',
        ),
        Kind.QUARANTINE: _Text(
            title="{mails} in quarantine",
            what="What lies there was collected, but could not be put into the inbox of its user.",
            action='"relay quarantine list" shows them and the reason; "relay quarantine deliver ID --to USER" puts one'
            " of them into an inbox.",
            over="The quarantine is empty again.",
        ),
        Kind.ACCOUNT_GONE: _Text(
            title='Account "{subject}" is gone or excluded, and its e-mails are stopped',
            what="They cannot leave through this account any more.",
            action='"relay queue list --account {command}" shows them. "relay queue move" sends them through another'
            ' account, "relay queue delete" discards them.',
        ),
        Kind.HELD_DOUBTFUL: _Text(
            title='Account "{subject}": {mails} stopped, perhaps sent already',
            what="Whether the provider has them already is not certain: the last attempt broke off. What is held is not"
            " sent twice by itself.",
            action='"relay queue list --state held" shows them. Ask a recipient: "relay queue release ID" sends it'
            ' again, "relay queue delete ID" discards it.',
        ),
        Kind.HELD: _Text(
            title='Account "{subject}": {mails} stopped',
            what="Somebody has to decide what becomes of what was held.",
            action='"relay queue list --state held" shows them; "relay queue release ID" lets one go,'
            ' "relay queue delete ID" discards it.',
        ),
        Kind.MAIL_OVERDUE: _Text(
            title='Account "{subject}": {mails} waiting for longer than usual',
            what="The provider has not taken them yet. A notice of the delay goes to the senders, unless they asked for"
            " none.",
            action='"relay queue list --account {command}" shows them with the reason. You need not do anything if the'
            " other side will answer again by itself.",
            over='Account "{subject}": no e-mail waits for longer than usual any more.',
        ),
        Kind.ARCHIVE_FAILING: _Text(
            title="The archive {subject} does not get its copies",
            what="The last copy for the archive could not be delivered. Whether the recipients have their e-mails is"
            " another matter.",
            action="Check whether the archive's mailbox still exists, and whether it is full.",
        ),
        Kind.BACKUP_FAILED: _Text(
            title="The backup has failed",
            what="The last good backup stays as it is; from day to day it is worth less.",
            action='Remove the cause that is named here, and then try it with "relay backup".',
            over="The backup works again.",
        ),
        Kind.BACKUP_OLD: _Text(
            title="The last backup is more than a day and a half old",
            what="What has come in since then would be lost with the disk.",
            action="Check whether the service runs at night, and whether {subject} can be written into.",
            over="There is a fresh backup again.",
        ),
        Kind.BACKUP_NONE: _Text(
            title="There is no backup yet",
            what="The first one is made at the hour that the configuration names under [backup], if the service runs.",
            action='Check whether the service runs at that hour; "relay backup" makes one at once.',
            over="There is a backup now.",
        ),
        Kind.CERTIFICATE_EXPIRED: _Text(
            title="The certificate {subject} has run out",
            what="Mail programs refuse to send, or warn their users.",
            action='Put a new certificate in its place, and then run "relay reload".',
        ),
        Kind.CERTIFICATE_EXPIRES: _Text(
            title="The certificate {subject} runs out in {days}",
            what="From then on mail programs refuse to send, or warn their users.",
            action='Put a new certificate in its place, and then run "relay reload".',
        ),
        Kind.CONFIGURATION_CHANGED: _Text(
            title="The configuration was changed, and the service does not know of it yet",
            what="The service goes on with what it has read before.",
            action='"relay check" shows whether it is right; "relay reload" puts it into force.',
        ),
        Kind.PAUSED: _Text(
            title='Account "{subject}" was paused by a person',
            what="Nothing is sent through this account. All its e-mails wait, and none of them expires meanwhile.",
            action='"relay account resume {command}" lets it send again.',
        ),
        Kind.DAY_FULL: _Text(
            title='Account "{subject}" has used up its recipients of today ({number})',
            what="What waits for it goes on tomorrow.",
            action="You need not do anything. If the provider allows more, raise recipients_per_day.",
        ),
        Kind.BOUNCED: _Text(
            title="{mails} of the last 7 days not delivered to everybody",
            what="A notice about each went to its sender, unless that was not wanted.",
            action='"relay queue list --state failed" and "relay queue list --state partly" show them.',
        ),
    },
)

_GERMAN = Language(
    since="Seit",
    holds_up="Betroffen",
    reply="Antwort des Anbieters",
    cause="Technische Ursache",
    one_mail="1 E-Mail",
    mails="{count} E-Mails",
    days=("weniger als einem Tag", "1 Tag", "{count} Tagen"),
    solved="Erledigt: {title}",
    lasted="Es dauerte von {start} bis {end}.",
    moot="Das betrifft den Maildienst nicht mehr, denn die Konfiguration wurde geändert.",
    action="Was zu tun ist",
    texts={
        Kind.SERVICE_DOWN: _Text(
            title="Der Maildienst läuft nicht",
            what="Nichts wird angenommen, gesendet oder abgeholt.",
            action="Starten Sie ihn mit „systemctl start relay“. Bleibt er nicht an, nennt „journalctl -u relay“ den"
            " Grund.",
        ),
        Kind.SERVICE_SILENT: _Text(
            title="Der Maildienst antwortet nicht",
            what="Er scheint zu laufen, sagt aber nicht, wie es ihm geht.",
            action="Sehen Sie in sein Protokoll („journalctl -u relay“), und starten Sie ihn dann neu mit"
            " „systemctl restart relay“.",
        ),
        Kind.DISK_LOW: _Text(
            title="Die Festplatte ist fast voll: {size} sind frei in {subject}",
            what="Ist der zurückgehaltene Platz erreicht, werden keine neuen E-Mails angenommen oder abgeholt; was"
            " angenommen ist, wird noch gesendet. Programme, die senden, versuchen es wieder, und was nicht abgeholt"
            " wird, bleibt beim Anbieter.",
            action="Schaffen Sie Platz auf dieser Festplatte. „df -h {command}“ zeigt, wie voll sie ist.",
            over="Die Festplatte hat wieder Platz.",
        ),
        Kind.LOGIN_REFUSED: _Text(
            title="Konto „{subject}“ darf nicht senden: Der Anbieter lehnt die Anmeldung ab",
            what="Über dieses Konto wird nichts gesendet. Alle seine E-Mails warten; solange läuft keine Frist ab.",
            action="Berichtigen Sie Benutzername oder Passwort des Kontos in der Konfiguration; mehr ist nicht nötig."
            " Haben Sie beim Anbieter etwas geändert, wird es mit „relay account resume {command}“ sofort versucht.",
        ),
        Kind.PROVIDER_SILENT: _Text(
            title="Konto „{subject}“ kann nicht senden: Der Anbieter ist nicht erreichbar",
            what="Seit mehr als einer Stunde kam bei keinem Versuch, über dieses Konto zu senden, eine Antwort des"
            " Anbieters.",
            action="Prüfen Sie, ob die Internetverbindung besteht und ob der Anbieter eine Störung meldet."
            " „relay account test {command}“ zeigt, woran es scheitert. Sobald es wieder geht, sendet der Maildienst"
            " von selbst weiter.",
            over="Der Anbieter des Kontos „{subject}“ antwortet wieder, oder es wartet nichts mehr auf ihn.",
        ),
        Kind.MAILBOX_REFUSED: _Text(
            title="Postfach des Kontos „{subject}“ nicht abgeholt: Der Anbieter lehnt die Anmeldung ab",
            what="Neue E-Mails bleiben im Postfach beim Anbieter; keine geht verloren.",
            action="Berichtigen Sie Benutzername oder Passwort unter [account.pop3] dieses Kontos in der Konfiguration;"
            " mehr ist nicht nötig. „relay account test {command}“ zeigt, ob es geht.",
            over="Das Postfach des Kontos „{subject}“ wird wieder abgeholt.",
        ),
        Kind.MAILBOX_FAILING: _Text(
            title="Postfach des Kontos „{subject}“ nicht abgeholt",
            what="Neue E-Mails bleiben im Postfach beim Anbieter; keine geht verloren.",
            action="„relay account test {command}“ zeigt, woran es scheitert. Sobald es wieder geht, wird von selbst"
            " abgeholt, sofort mit „relay poll {command}“.",
            over="Das Postfach des Kontos „{subject}“ wird wieder abgeholt.",
        ),
        Kind.QUARANTINE: _Text(
            title="{mails} in Quarantäne",
            what="Was dort liegt, wurde abgeholt, konnte aber nicht in den Posteingang gelegt werden, in den es"
            " gehört.",
            action="„relay quarantine list“ zeigt sie und den Grund; „relay quarantine deliver KENNUNG --to BENUTZER“"
            " legt eine davon in einen Posteingang.",
            over="Die Quarantäne ist wieder leer.",
        ),
        Kind.ACCOUNT_GONE: _Text(
            title="Konto „{subject}“ gibt es nicht mehr oder ist ausgeschlossen; seine E-Mails sind angehalten",
            what="Über dieses Konto können sie nicht mehr gesendet werden.",
            action="„relay queue list --account {command}“ zeigt sie. „relay queue move“ sendet sie über ein anderes"
            " Konto, „relay queue delete“ verwirft sie.",
        ),
        Kind.HELD_DOUBTFUL: _Text(
            title="Konto „{subject}“: {mails} angehalten, vielleicht schon gesendet",
            what="Ob der Anbieter sie schon hat, ist nicht sicher: Der letzte Versuch brach ab. Angehaltenes wird nicht"
            " von selbst noch einmal gesendet.",
            action="„relay queue list --state held“ zeigt sie. Fragen Sie einen Empfänger: „relay queue release"
            " KENNUNG“ sendet noch einmal, „relay queue delete KENNUNG“ verwirft.",
        ),
        Kind.HELD: _Text(
            title="Konto „{subject}“: {mails} angehalten",
            what="Jemand muss entscheiden, was damit geschieht.",
            action="„relay queue list --state held“ zeigt sie; „relay queue release KENNUNG“ gibt eine frei,"
            " „relay queue delete KENNUNG“ verwirft sie.",
        ),
        Kind.MAIL_OVERDUE: _Text(
            title="Konto „{subject}“: {mails} länger als üblich nicht übergeben",
            what="Der Anbieter hat sie noch nicht angenommen. Die Absender erhalten eine Nachricht darüber, außer sie"
            " haben das abbestellt.",
            action="„relay queue list --account {command}“ nennt die Gründe. Wenn die Gegenseite von selbst wieder"
            " antworten wird, brauchen Sie nichts zu tun.",
            over="Konto „{subject}“: Keine E-Mail wartet mehr länger als üblich.",
        ),
        Kind.ARCHIVE_FAILING: _Text(
            title="Das Archiv {subject} erhält seine Kopien nicht",
            what="Die letzte Kopie für das Archiv konnte nicht zugestellt werden. Mit der Zustellung an die Empfänger"
            " selbst hat das nichts zu tun.",
            action="Prüfen Sie, ob es das Archivpostfach noch gibt und ob es voll ist.",
        ),
        Kind.BACKUP_FAILED: _Text(
            title="Die Sicherung ist fehlgeschlagen",
            what="Die letzte gute Sicherung bleibt erhalten, ist aber von Tag zu Tag weniger wert.",
            action="Beseitigen Sie die genannte Ursache, und versuchen Sie es dann mit „relay backup“.",
            over="Die Sicherung gelingt wieder.",
        ),
        Kind.BACKUP_OLD: _Text(
            title="Die letzte Sicherung ist älter als anderthalb Tage",
            what="Was seither hereinkam, ginge mit der Festplatte verloren.",
            action="Prüfen Sie, ob der Maildienst nachts läuft und ob in {subject} geschrieben werden kann.",
            over="Es gibt wieder eine frische Sicherung.",
        ),
        Kind.BACKUP_NONE: _Text(
            title="Es gibt noch keine Sicherung",
            what="Die erste wird zu der Uhrzeit gemacht, die in der Konfiguration unter [backup] steht, wenn der"
            " Maildienst dann läuft.",
            action="Prüfen Sie, ob der Maildienst um diese Zeit läuft; „relay backup“ macht sofort eine.",
            over="Es gibt jetzt eine Sicherung.",
        ),
        Kind.CERTIFICATE_EXPIRED: _Text(
            title="Das Zertifikat {subject} ist abgelaufen",
            what="Mailprogramme weigern sich zu senden oder warnen davor.",
            action="Legen Sie ein neues an seine Stelle, und rufen Sie dann „relay reload“ auf.",
        ),
        Kind.CERTIFICATE_EXPIRES: _Text(
            title="Das Zertifikat {subject} läuft in {days} ab",
            what="Danach weigern sich Mailprogramme zu senden oder warnen davor.",
            action="Legen Sie ein neues an seine Stelle, und rufen Sie dann „relay reload“ auf.",
        ),
        Kind.CONFIGURATION_CHANGED: _Text(
            title="Die Konfiguration wurde geändert, und der Maildienst kennt die Änderung noch nicht",
            what="Der Maildienst arbeitet mit dem weiter, was er zuletzt gelesen hat.",
            action="„relay check“ zeigt, ob sie richtig ist; „relay reload“ setzt sie in Kraft.",
        ),
        Kind.PAUSED: _Text(
            title="Konto „{subject}“ wurde von Hand angehalten",
            what="Über dieses Konto wird nichts gesendet. Alle seine E-Mails warten; solange läuft keine Frist ab.",
            action="Mit „relay account resume {command}“ sendet es wieder.",
        ),
        Kind.DAY_FULL: _Text(
            title="Konto „{subject}“ hat seine Empfänger für heute verbraucht ({number})",
            what="Was darauf wartet, wird morgen gesendet.",
            action="Sie brauchen nichts zu tun. Erlaubt der Anbieter mehr, erhöhen Sie recipients_per_day.",
        ),
        Kind.BOUNCED: _Text(
            title="{mails} der letzten 7 Tage nicht an alle zugestellt",
            what="Zu jeder ging eine Nachricht an den Absender, außer wo das nicht gewünscht war.",
            action="„relay queue list --state failed“ und „relay queue list --state partly“ zeigen sie.",
        ),
    },
)

LANGUAGES: Mapping[str, Language] = {"de": _GERMAN, "en": _ENGLISH}
"""By the configuration's `language`."""


def describe(finding: Finding, language: str, show_time: Callable[[int], str]) -> Words:
    """Give the words of a finding; `show_time` writes a moment (milliseconds since 1970) as the reader knows it."""
    words = LANGUAGES[language]
    text = words.texts[finding.kind]
    counted = finding.number if finding.kind is Kind.BOUNCED else finding.mails
    names = {
        "subject": plain(finding.subject, _LONGEST),
        "command": shlex.quote(plain(finding.subject, _LONGEST)),
        "mails": count_mails(counted, language),
        "number": str(finding.number),
        "days": words.days[min(finding.number, 2)].format(count=finding.number),
        "size": _size(finding.number, language),
    }
    facts = (
        (words.since, "" if finding.since is None else show_time(finding.since)),
        (words.holds_up, count_mails(finding.mails, language) if finding.mails else ""),
        _said(words, finding, language),
    )
    return Words(
        title=text.title.format_map(names),
        what=text.what.format_map(names),
        action=text.action.format_map(names),
        over=text.over.format_map(names),
        facts=tuple(fact for fact in facts if fact[1]),
    )


def _said(words: Language, finding: Finding, language: str) -> tuple[str, str]:
    """Quote the provider; what we saw of his server is told in the language, where there are words for it."""
    detail = finding.detail
    if detail.startswith(LOGIN_REFUSED):
        return words.reply, plain(detail.removeprefix(LOGIN_REFUSED))
    if _REPLY.match(detail):
        return words.reply, plain(detail)
    cause = read_cause(detail) if finding.kind in _OF_SERVERS else None
    return words.cause, plain(detail) if cause is None else explain_cause(cause, language).what


def count_mails(count: int, language: str) -> str:
    """Write a number of mails with its noun."""
    words = LANGUAGES[language]
    return words.one_mail if count == 1 else words.mails.format(count=count)


def _size(octets: int, language: str) -> str:
    size, unit = octets / (1 << 20), "MB"
    if size >= 1024:
        size, unit = size / 1024, "GB"
    text = f"{size:.1f} {unit}"
    return text.replace(".", ",") if language == "de" else text
