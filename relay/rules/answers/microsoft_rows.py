"""What Microsoft's mail servers answer in their own way: Exchange Online and Outlook.com."""

from typing import Final

from relay.rules.answers.advices import BY_OAUTH_DE, BY_OAUTH_EN, GUIDE, USED_UP_DE, USED_UP_EN
from relay.rules.answers.row import COLLECTING, About, Advice, Row, Stage, say

_LOGIN: Final = frozenset({Stage.LOGIN, Stage.SEND})
_SOURCE: Final = "Microsoft Learn: Exchange Online, SMTP AUTH client submission"

MICROSOFT_ROWS: Final = (
    Row(
        name="smtp_auth_off",
        about=About.CONFIGURATION,
        advice=Advice.AUTHENTICATION,
        stages=_LOGIN,
        says=r"smtpclientauthentication is disabled for the (?:tenant|mailbox)",
        english=say(
            "Microsoft 365 has sending by programs (SMTP AUTH) switched off for this mailbox or the organisation;"
            " OAuth needs it as well.",
            "Switch on Authenticated SMTP in the Microsoft 365 admin centre: Users > Active users > the person > Mail"
            " > Manage email apps. It takes up to an hour.",
        ),
        german=say(
            "Microsoft 365 hat das Senden durch Programme (SMTP AUTH) für dieses Postfach oder die Organisation"
            " abgeschaltet; auch OAuth braucht es.",
            "Schalten Sie im Microsoft 365 Admin Center „Authentifiziertes SMTP“ ein: „Benutzer > Aktive Benutzer >"
            " die Person > E-Mail > E-Mail-Apps verwalten“. Es dauert bis zu einer Stunde.",
        ),
        source=_SOURCE,
    ),
    Row(
        name="passwords_gone",
        about=About.CONFIGURATION,
        advice=Advice.AUTHENTICATION,
        stages=_LOGIN,
        statuses=frozenset({"7.30"}),
        english=say(
            "Microsoft has ended sending by password; the password may well be right.",
            BY_OAUTH_EN,
        ),
        german=say(
            "Microsoft hat das Senden mit Passwort beendet. Ihr Passwort kann trotzdem richtig sein.",
            BY_OAUTH_DE,
        ),
        source="Exchange Team blog, 27 January 2026: SMTP AUTH basic authentication deprecation timeline",
    ),
    Row(
        name="passwords_off",
        about=About.CONFIGURATION,
        advice=Advice.AUTHENTICATION,
        stages=_LOGIN,
        says=r"basic authentication is (?:disabled|not supported)",
        english=say(
            "Microsoft takes no passwords here any more; the password may well be right.",
            BY_OAUTH_EN,
        ),
        german=say(
            "Microsoft nimmt hier keine Passwörter mehr an. Ihr Passwort kann trotzdem richtig sein.",
            BY_OAUTH_DE,
        ),
        source="Exchange Team blog, 27 January 2026: SMTP AUTH basic authentication deprecation timeline",
    ),
    Row(
        name="security_policy",
        about=About.CONFIGURATION,
        advice=Advice.AUTHENTICATION,
        stages=_LOGIN,
        says=r"security defaults|did not meet the criteria",
        english=say(
            "A security rule of the organisation (security defaults or Conditional Access) forbids this login.",
            f"Most often the password alone is forbidden. {BY_OAUTH_EN} If that is refused as well, an administrator of"
            " Microsoft 365 must make an exception for this mailbox.",
        ),
        german=say(
            "Eine Sicherheitsregel der Organisation (Sicherheitsstandards oder Bedingter Zugriff) verbietet diese"
            " Anmeldung.",
            f"Meist ist nur das Passwort verboten. {BY_OAUTH_DE} Wird auch das abgelehnt, muss ein Administrator von"
            " Microsoft 365 für dieses Postfach eine Ausnahme machen.",
        ),
        source=_SOURCE,
    ),
    Row(
        name="no_login_made",
        about=About.CONFIGURATION,
        advice=Advice.AUTHENTICATION,
        statuses=frozenset({"7.57"}),
        english=say(
            "The Exchange server was asked to send without a login.",
            'Give the account its login: "relay account edit {account} --smtp-username NAME --password". If Microsoft'
            f" 365 refuses that: {BY_OAUTH_EN}",
        ),
        german=say(
            "Die E-Mail wurde ohne Anmeldung an den Exchange-Server übergeben.",
            "Geben Sie dem Konto seine Anmeldung: „relay account edit {account} --smtp-username NAME --password“. Lehnt"
            f" Microsoft 365 sie ab: {BY_OAUTH_DE}",
        ),
        source=_SOURCE,
    ),
    Row(
        name="microsoft_login",
        about=About.LOGIN,
        advice=Advice.AUTHENTICATION,
        stages=_LOGIN,
        codes=frozenset({535}),
        statuses=frozenset({"7.3"}),
        english=say(
            "The Exchange server refuses this login. It does not say whether name or password is wrong, or something"
            " else.",
            "Is it one of your own: compare username and password with what its administrator names. At Microsoft 365"
            " check, in this order: the mailbox has a licence; Authenticated SMTP is on for it; username is the one who"
            ' signed in; with [account.oauth] sign in again by "relay account authorize {account}".',
        ),
        german=say(
            "Der Exchange-Server lehnt diese Anmeldung ab. Ob Name oder Passwort falsch ist oder etwas anderes, sagt er"
            " nicht.",
            "Ist es ein eigener Server: Vergleichen Sie username und Passwort mit dem, was dessen Administrator nennt."
            " Bei Microsoft 365 prüfen Sie der Reihe nach: Das Postfach hat eine Lizenz; „Authentifiziertes SMTP“ ist"
            " dafür eingeschaltet; username ist, wer sich angemeldet hat; mit [account.oauth] melden Sie es mit „relay"
            " account authorize {account}“ neu an.",
        ),
        source=_SOURCE,
    ),
    Row(
        name="send_as_denied",
        about=About.SENDER,
        advice=Advice.SENDER_REFUSED,
        says=r"sendasdenied|does not have permissions? to send as",
        english=say(
            "The login is right, but at Microsoft it may not send as the account's address.",
            "An administrator gives it the right in the Exchange admin centre: Mailboxes > the address > Delegation >"
            " Send as. It takes up to an hour.",
        ),
        german=say(
            "Die Anmeldung hat geklappt, das Konto darf aber nicht unter dieser Adresse senden.",
            "Ein Administrator gibt ihr das Recht im Exchange Admin Center: „Postfächer > die Adresse > Delegierung >"
            " Senden als“. Es dauert bis zu einer Stunde.",
        ),
        source=_SOURCE,
    ),
    Row(
        name="mailbox_logon",
        about=About.CONFIGURATION,
        advice=Advice.AUTHENTICATION,
        stages=frozenset({Stage.SEND}),
        codes=frozenset({430}),
        says=r"storedrv.*(?:logon|no rights)",
        english=say(
            "The app may log in to Microsoft, but has no right to this mailbox; waiting does not mend that.",
            'An administrator gives it the right in PowerShell: "Add-MailboxPermission -Identity MAILBOX -User APP'
            f' -AccessRights FullAccess"; what APP is, "{GUIDE}" says. It takes up to an hour;'
            " then the mail leaves by itself.",
        ),
        german=say(
            "Die App darf sich bei Microsoft anmelden, hat aber kein Recht auf dieses Postfach; Warten hilft nicht.",
            "Ein Administrator gibt ihr das Recht in der PowerShell: „Add-MailboxPermission -Identity POSTFACH -User"
            f" APP -AccessRights FullAccess“; was APP ist, sagt „{GUIDE}“. Es dauert bis zu einer"
            " Stunde; dann gehen die E-Mails von selbst hinaus.",
        ),
        source="Microsoft Learn: Authenticate an IMAP, POP or SMTP connection using OAuth",
    ),
    Row(
        name="day_used_up",
        about=About.USED_UP,
        advice=Advice.RATE,
        says=r"submissionquotaexceeded",
        english=say(
            "The 10,000 recipients that Microsoft allows a mailbox in a day are used up.",
            USED_UP_EN,
        ),
        german=say(
            "Die 10.000 Empfänger, die Microsoft einem Postfach am Tag erlaubt, sind aufgebraucht.",
            USED_UP_DE,
        ),
        source="Microsoft Learn: Exchange Online limits",
    ),
    Row(
        name="too_many_connections",
        about=About.CONNECTIONS,
        advice=Advice.RATE,
        codes=frozenset({421, 432}),
        says=r"concurrent connections limit exceeded",
        english=say(
            "Microsoft takes at most three connections of a mailbox at once.",
            "You need not do anything: it goes on over fewer. If it lasts, see which other programs send by this"
            ' mailbox, and leave them room: "relay account edit {account} --set smtp.connections=1".',
        ),
        german=say(
            "Microsoft lässt für ein Postfach höchstens drei Verbindungen zugleich zu.",
            "Sie brauchen nichts zu tun: Es geht über weniger weiter. Bleibt es so, sehen Sie nach, welche anderen"
            " Programme über dieses Postfach senden, und lassen Sie ihnen Platz: „relay account edit {account} --set"
            " smtp.connections=1“.",
        ),
        source="Microsoft Learn: Exchange Online limits",
    ),
    Row(
        name="microsoft_for_now",
        about=About.TROUBLE,
        advice=Advice.EXPIRED,
        codes=frozenset({451, 454}),
        statuses=frozenset({"7.0"}),
        says=r"\btemporar",
        english=say("The provider has a trouble of its own.", "You need not do anything: it is tried again."),
        german=say(
            "Der Anbieter hat selbst eine Störung.", "Sie brauchen nichts zu tun: Es wird noch einmal versucht."
        ),
    ),
    Row(
        name="connector_unknown",
        about=About.CONFIGURATION,
        advice=Advice.RELAY_DENIED,
        statuses=frozenset({"7.64"}),
        english=say(
            "Microsoft knows this office neither by its internet address nor by its certificate.",
            "Compare the connector in the Exchange admin centre (Mail flow > Connectors) with the office's public"
            " address, which changes on many lines.",
        ),
        german=say(
            "Microsoft erkennt dieses Büro weder an seiner Internetadresse noch an seinem Zertifikat.",
            "Vergleichen Sie den Connector im Exchange Admin Center („Nachrichtenfluss > Connectors“) mit der"
            " öffentlichen Adresse des Büros, die bei vielen Anschlüssen wechselt.",
        ),
        source=_SOURCE,
    ),
    Row(
        name="direct_send_off",
        about=About.CONFIGURATION,
        advice=Advice.RELAY_DENIED,
        statuses=frozenset({"7.68"}),
        english=say(
            "The organisation takes no mail without a login any more (Reject Direct Send).",
            'Let it send by "smtp.office365.com": "relay account edit {account} --smtp-host smtp.office365.com".'
            f" {BY_OAUTH_EN} Or set up a connector in the Exchange admin centre (Mail flow > Connectors).",
        ),
        german=say(
            "Die Organisation nimmt ohne Anmeldung keine E-Mails mehr an („Reject Direct Send“).",
            "Lassen Sie es über „smtp.office365.com“ senden: „relay account edit {account} --smtp-host"
            f" smtp.office365.com“. {BY_OAUTH_DE} Oder richten Sie im Exchange Admin Center einen Connector ein"
            " („Nachrichtenfluss > Connectors“).",
        ),
        source=_SOURCE,
    ),
    Row(
        name="mailbox_not_connected",
        about=About.CONFIGURATION,
        advice=Advice.AUTHENTICATION,
        stages=COLLECTING,
        codes=frozenset({0}),
        says=r"user is authenticated but not connected",
        english=say(
            "The login is right, but Microsoft does not open this mailbox to it.",
            "Switch on IMAP and POP for the mailbox (Manage email apps); of a shared mailbox username must be its"
            " address. If both are so, wait for some minutes.",
        ),
        german=say(
            "Die Anmeldung stimmt, Microsoft öffnet ihr aber dieses Postfach nicht.",
            "Schalten Sie IMAP und POP für das Postfach ein („E-Mail-Apps verwalten“); bei einem gemeinsamen Postfach"
            " muss username dessen Adresse sein. Stimmt beides, warten Sie einige Minuten.",
        ),
    ),
    Row(
        name="microsoft_protocol_error",
        about=About.TROUBLE,
        advice=Advice.AUTHENTICATION,
        stages=COLLECTING,
        codes=frozenset({0}),
        says=r"protocol error\. connection is closed\. 10\b",
        english=say(
            "Microsoft ended the session at the login, and says no more. Mostly POP is off for this mailbox, or a"
            " password was sent, which it takes no more.",
            'Look in the Microsoft 365 admin centre whether POP is on for the mailbox ("Manage email apps"). Where the'
            f" account has a password: {BY_OAUTH_EN} If both are so, try again in an hour.",
        ),
        german=say(
            "Microsoft hat die Sitzung bei der Anmeldung beendet und sagt nicht mehr. Meist ist POP für dieses Postfach"
            " abgeschaltet, oder es kam ein Passwort, das Microsoft nicht mehr annimmt.",
            "Sehen Sie im Microsoft 365 Admin Center nach, ob POP für das Postfach eingeschaltet ist"
            f" („E-Mail-Apps verwalten“). Hat das Konto ein Passwort: {BY_OAUTH_DE} Stimmt beides, versuchen Sie es in"
            " einer Stunde noch einmal.",
        ),
        source="getmail6 and mpop issue threads: Exchange Online, POP3",
    ),
)
