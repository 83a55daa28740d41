"""What a finding is called, and what to do about it, in English."""

from typing import Final

from relay.rules.answers.advices import BY_OAUTH_EN
from relay.rules.passwords_end import ENDS_ON
from relay.watching.findings import Kind
from relay.watching.text_table import Language, Text

_BY_OAUTH: Final = BY_OAUTH_EN.replace("{account}", "{command}")

ENGLISH = Language(
    since="Since",
    holds_up="Held up",
    reply="The provider's reply",
    cause="Technical cause",
    one_mail="1 e-mail",
    mails="{count} e-mails",
    days=("less than a day", "1 day", "{count} days"),
    solved="Solved: {title}",
    lasted="It lasted from {start} to {end}.",
    moot="This does not concern the mail service any more, since the file relay.toml was changed.",
    action="What to do",
    collected='"relay account test {command}" shows whether it works. Then it goes on by itself; "relay poll {command}"'
    " collects at once.",
    mended='"relay account resume {command}" then tries it at once.',
    full=Text(
        title="The disk is full: {size} are free in {subject}",
        what="No new e-mail is taken or collected any more; what was taken is still sent. Programs that send try again,"
        " and what is not collected stays at the provider.",
        action='Make room on this disk; then it goes on by itself. "df -h {command}" shows how full it is.',
        over="The disk has room again.",
    ),
    lacking={
        Kind.LOGIN_REFUSED: Text(
            title='Account "{subject}" cannot send: it cannot log in',
            what="Nothing is sent through this account. All its e-mails wait, and none of them expires meanwhile.",
            action='"relay account test {command}" shows what it lacks.',
        ),
        Kind.MAILBOX_REFUSED: Text(
            title='Mailbox of account "{subject}" cannot be collected: the account cannot log in',
            what="New e-mails stay in the mailbox at the provider; none is lost.",
            action='"relay account test {command}" shows what it lacks.',
            over='The mailbox of account "{subject}" is collected again.',
        ),
    },
    texts={
        Kind.NO_ACCOUNT: Text(
            title="The mail service has no account yet",
            what="It starts once relay.toml has one.",
            action='Put an [[account]] into relay.toml, then "relay check" and "systemctl start relay".',
        ),
        Kind.SERVICE_DOWN: Text(
            title="The mail service is not running",
            what="Nothing is taken, sent or collected.",
            action='Start it with "systemctl start relay". If it does not stay up, "journalctl -u relay" says why.',
        ),
        Kind.SERVICE_SILENT: Text(
            title="The mail service gives no answer",
            what="It seems to run, but does not say how it does.",
            action='Look into its log ("journalctl -u relay"), then restart it with "systemctl restart relay".',
        ),
        Kind.DISK_LOW: Text(
            title="The disk is nearly full: {size} are free in {subject}",
            what="When the room that is kept back is reached, no new e-mail is taken or collected; what was taken is"
            " still sent. Programs that send try again, and what is not collected stays at the provider.",
            action='Make room on this disk, but delete nothing in the folder {subject} itself. "df -h {command}" shows'
            " how full it is.",
            over="The disk has room again.",
        ),
        Kind.LOGIN_REFUSED: Text(
            title='Account "{subject}" may not send: the provider refuses the login',
            what="Nothing is sent through this account. All its e-mails wait, and none of them expires meanwhile.",
            action='{login} If you changed something at the provider, "relay account resume {command}" tries it at'
            " once.",
        ),
        Kind.SETTING_NEEDED: Text(
            title='Account "{subject}" cannot send: something must be changed at the provider',
            what="The provider has asked for more than an hour to come again, but waiting does not help.",
            action="Do at the provider what his reply asks for; then it goes on by itself.",
            over='The provider takes e-mails of account "{subject}" again, or nothing waits for it any more.',
        ),
        Kind.PROVIDER_SILENT: Text(
            title='Account "{subject}" cannot send: its provider is out of reach',
            what="For more than an hour no attempt to send through this account has had an answer from the provider.",
            action="Check whether the internet connection works, and whether the provider reports a disturbance."
            ' "relay account test {command}" shows where it fails. When it works again, it goes on by itself.',
            over='The provider of account "{subject}" answers again, or nothing waits for it any more.',
        ),
        Kind.MAILBOX_REFUSED: Text(
            title='Mailbox of account "{subject}" cannot be collected: the provider refuses the login',
            what="New e-mails stay in the mailbox at the provider; none is lost.",
            action='{login} "relay account test {command}" shows whether it works.',
            over='The mailbox of account "{subject}" is collected again.',
        ),
        Kind.MAILBOX_FAILING: Text(
            title='Mailbox of account "{subject}" cannot be collected',
            what="New e-mails stay in the mailbox at the provider; none is lost.",
            action='"relay account test {command}" shows where it fails. When it works again, it goes on by itself;'
            ' "relay poll {command}" collects at once.',
            over='The mailbox of account "{subject}" is collected again.',
        ),
        Kind.QUARANTINE: Text(
            title="{mails} in quarantine",
            what="What lies there was collected, but could not be put into the inbox of its user.",
            action='"relay quarantine list" shows them and the reason; "relay quarantine deliver ID --to USER" puts one'
            " of them into an inbox.",
            over="The quarantine is empty again.",
        ),
        Kind.ACCOUNT_GONE: Text(
            title='Account "{subject}" is gone or excluded, and its e-mails are stopped',
            what="They cannot leave through this account any more.",
            action='"relay queue list --account {command}" shows them. "relay queue move ID --account NAME" gives'
            ' one another account, "relay queue release ID" then sends it; "relay queue delete ID" discards it.',
        ),
        Kind.HELD_DOUBTFUL: Text(
            title='Account "{subject}": {mails} stopped, perhaps sent already',
            what="Whether the provider has them already is not certain: the last attempt broke off. What is held is not"
            " sent twice by itself.",
            action='"relay queue list --state held" shows them. Ask a recipient: "relay queue release ID" sends it'
            ' again, "relay queue delete ID" discards it.',
        ),
        Kind.HELD: Text(
            title='Account "{subject}": {mails} stopped',
            what="Somebody has to decide what becomes of what was held.",
            action='"relay queue list --state held" shows them; "relay queue release ID" lets one go,'
            ' "relay queue delete ID" discards it.',
        ),
        Kind.MAIL_OVERDUE: Text(
            title='Account "{subject}": {mails} waiting for longer than usual',
            what="The provider has not taken them yet. A notice of the delay goes to the senders, unless they asked for"
            " none.",
            action='"relay queue list --account {command}" shows them with the reason. You need not do anything if the'
            " other side will answer again by itself.",
            over='Account "{subject}": no e-mail waits for longer than usual any more.',
        ),
        Kind.ARCHIVE_FAILING: Text(
            title="The archive {subject} does not get its copies",
            what="The last copy for the archive could not be delivered. Whether the recipients have their e-mails is"
            " another matter.",
            action="Check whether the archive's mailbox still exists, and whether it is full.",
        ),
        Kind.BACKUP_FAILED: Text(
            title="The backup has failed",
            what="The last good backup stays as it is; from day to day it is worth less.",
            action='Remove the cause that is named here, and then try it with "relay backup".',
            over="The backup works again.",
        ),
        Kind.BACKUP_OLD: Text(
            title="The last backup is more than a day and a half old",
            what="What has come in since then would be lost with the disk.",
            action="Check whether the service runs at night, and whether {subject} can be written into.",
            over="There is a fresh backup again.",
        ),
        Kind.BACKUP_NONE: Text(
            title="There is no backup yet",
            what="The first one is made at the hour that the file relay.toml names under [backup], if the service"
            " runs.",
            action='Check whether the service runs at that hour; "relay backup" makes one at once.',
            over="There is a backup now.",
        ),
        Kind.CERTIFICATE_EXPIRED: Text(
            title="The certificate {subject} has run out",
            what="Mail programs refuse to send, or warn their users.",
            action='Put a new certificate in its place (the office\'s own: "relay certificate make"); the service takes'
            " it over by itself.",
            over="The certificate {subject} is a new one.",
        ),
        Kind.CERTIFICATE_EXPIRES: Text(
            title="The certificate {subject} runs out in {days}",
            what="From then on mail programs refuse to send, or warn their users.",
            action='Put a new certificate in its place (the office\'s own: "relay certificate make"); the service takes'
            " it over by itself.",
            over="The certificate {subject} is a new one.",
        ),
        Kind.LOGIN_ENDS: Text(
            title='Account "{subject}" logs in to Microsoft by password, which ends on ' + ENDS_ON,
            what="From then on Microsoft refuses to send by password, unless the administrator of Microsoft 365 allows"
            " it for longer. E-mails of this account would wait.",
            action=_BY_OAUTH,
            over='Account "{subject}" does not log in to Microsoft by password any more.',
        ),
        Kind.LOGIN_ENDED: Text(
            title='Account "{subject}" still logs in to Microsoft by password, which was to end on ' + ENDS_ON,
            what="Since then Microsoft takes a password only where the administrator of Microsoft 365 allows it, and"
            " will stop that as well.",
            action=_BY_OAUTH,
        ),
        Kind.PROOF_ENDS: Text(
            title='What account "{subject}" proves itself by at its provider ends in {days}',
            what="Its secret (client_secret) or certificate ends then. After that the account can neither send"
            " nor collect, and its e-mails wait.",
            action="Make a new secret or certificate on the provider's page of the app. Give a secret here:"
            ' "relay account edit {command} --client-secret --secret-expires DAY", with the day of its end. Put a'
            ' certificate in the place of the old one, then "relay reload".',
            over='What account "{subject}" proves itself by holds for longer again.',
        ),
        Kind.SIGN_IN_NEEDED: Text(
            title='Nobody has signed in for account "{subject}" yet',
            what="Until then the account can neither send nor collect; its e-mails wait.",
            action='Sign in with "relay account authorize {command}"; it goes on by itself then.',
        ),
        Kind.SIGN_IN_OVER: Text(
            title='The sign-in of account "{subject}" at its provider is over',
            what="Nothing has needed it since. The next e-mail of the account would wait.",
            action='Sign in again with "relay account authorize {command}"; it goes on by itself then.',
            over='Account "{subject}" is signed in again.',
        ),
        Kind.SIGN_IN_ENDS: Text(
            title='The sign-in of account "{subject}" at its provider ends in {days}',
            what="The provider ends it then, as it said itself, or since it has not been used for long. After that the"
            " account can neither send nor collect, and its e-mails wait.",
            action='Sign in again before, with "relay account authorize {command}". Where Google ends it every seven'
            ' days, the app there is "in testing": publish it ("In production") first.',
            over='The sign-in of account "{subject}" holds for longer again.',
        ),
        Kind.CONFIGURATION_CHANGED: Text(
            title="The file relay.toml was changed, and the service does not know of it yet",
            what="The service goes on with what it has read before.",
            action='"relay check" shows whether it is right; "relay reload" puts it into force.',
        ),
        Kind.PAUSED: Text(
            title='Account "{subject}" was paused by a person',
            what="Nothing is sent through this account. All its e-mails wait, and none of them expires meanwhile.",
            action='"relay account resume {command}" lets it send again.',
        ),
        Kind.DAY_FULL: Text(
            title='Account "{subject}" has used up its recipients of today ({number})',
            what="What waits for it goes on tomorrow.",
            action="You need not do anything. If the provider allows more, raise recipients_per_day.",
        ),
        Kind.BOUNCED: Text(
            title="{mails} of the last 7 days not delivered to everybody",
            what="A notice about each went to its sender, unless that was not wanted.",
            action='"relay queue list --state failed" and "relay queue list --state partly" show them.',
        ),
    },
)
