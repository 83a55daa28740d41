"""What providers other than Microsoft answer in their own way."""

import re
from typing import Final

from relay.rules.answers.advices import USED_UP_DE, USED_UP_EN
from relay.rules.answers.row import COLLECTING, About, Advice, Explanation, Row, Stage, say

_ADDRESSES_EN: Final = (
    "Compare the account's address with its username: both must belong together, or the address must be allowed at"
    ' the provider as one more of this mailbox. Then try it: "relay account test {account}".'
)
_ADDRESSES_DE: Final = (
    "Vergleichen Sie die Adresse des Kontos mit username: Beide müssen zusammengehören, oder die Adresse muss beim"
    " Anbieter als weitere dieses Postfachs freigegeben sein. „relay account test {account}“ zeigt danach, ob es geht."
)


def _sender(name: str, says: str, *, english: Explanation, german: Explanation, source: str) -> Row:
    return Row(
        name=name,
        about=About.SENDER,
        advice=Advice.SENDER_REFUSED,
        stages=frozenset({Stage.SEND}),
        says=says,
        english=english,
        german=german,
        source=source,
    )


def _used_up(name: str, says: str, *, english: Explanation, german: Explanation, source: str, unless: str = "") -> Row:
    return Row(
        name=name,
        about=About.USED_UP,
        advice=Advice.RATE,
        says=says,
        unless=unless,
        english=english,
        german=german,
        source=source,
    )


def _for_now(code: str, *, english: Explanation, german: Explanation) -> Row:
    """Make the row of a response code of POP3 that says nothing against the password (RFC 2449, RFC 3206)."""
    return Row(
        name=re.sub("[^a-z]", "_", code),
        about=About.TROUBLE,
        advice=Advice.EXPIRED,
        stages=COLLECTING,
        codes=frozenset({0}),
        says=re.escape(f"[{code}]"),
        english=english,
        german=german,
        source="RFC 2449 section 8, RFC 3206",
    )


PROVIDER_ROWS: Final = (
    _sender(
        "sender_not_allowed",
        r"\bsender address is not allowed",
        english=say("The provider lets this login send only as its own addresses.", _ADDRESSES_EN),
        german=say("Der Anbieter lässt diese Anmeldung nur unter ihren eigenen Adressen senden.", _ADDRESSES_DE),
        source="GMX, WEB.DE, IONOS at MAIL FROM",
    ),
    _sender(
        "sender_not_owned",
        r"sender address rejected: not (?:owned by|logged in)",
        english=say("The provider lets this login send only as addresses that belong to it.", _ADDRESSES_EN),
        german=say("Der Anbieter lässt diese Anmeldung nur unter Adressen senden, die ihr gehören.", _ADDRESSES_DE),
        source="Postfix: reject_sender_login_mismatch",
    ),
    _sender(
        "icloud_sender",
        r"from address is not one of your addresses",
        english=say("iCloud lets this login send only as an address of its own.", _ADDRESSES_EN),
        german=say("iCloud lässt diese Anmeldung nur unter einer eigenen Adresse senden.", _ADDRESSES_DE),
        source="iCloud Mail at MAIL FROM",
    ),
    _sender(
        "zoho_sender",
        r"relaying disallowed as",
        english=say("Zoho lets this login send only as an address of its own.", _ADDRESSES_EN),
        german=say("Zoho lässt diese Anmeldung nur unter einer eigenen Adresse senden.", _ADDRESSES_DE),
        source="Zoho Mail at MAIL FROM",
    ),
    Row(
        name="header_refused",
        about=About.MAIL,
        advice=Advice.CONTENT,
        codes=frozenset({554}),
        says=r"reject due to policy restrictions",
        unless=(r"reputation|blocked|spam"),
        english=say(
            "The provider refuses the form of the mail's header.",
            "Look at the date that the sending program writes, and at letters with accents in its sender's name.",
        ),
        german=say(
            "Der Anbieter lehnt die Form der Kopfzeilen ab.",
            "Sehen Sie nach dem Datum, das das sendende Programm schreibt, und nach Umlauten im Namen seines"
            " Absenders.",
        ),
        source="IONOS after DATA",
    ),
    _used_up(
        "google_day",
        r"daily (?:smtp relay|user) (?:sending )?limit exceeded|daily user sending quota exceeded",
        english=say("What Google allows to send in a day is used up.", USED_UP_EN),
        german=say("Die Menge, die Google am Tag zu senden erlaubt, ist aufgebraucht.", USED_UP_DE),
        source="Google Workspace Admin Help: SMTP relay and Gmail sending limits",
    ),
    _used_up(
        "send_quota",
        r"send(?:ing)? (?:quota|limit) (?:is |was )?(?:exceeded|reached)",
        english=say("The provider's limit for sending is used up.", USED_UP_EN),
        german=say("Die Menge, die der Anbieter zu senden erlaubt, ist aufgebraucht.", USED_UP_DE),
        source="T-Online",
    ),
    Row(
        name="google_peak",
        about=About.LIMIT,
        advice=Advice.RATE,
        says=r"peak smtp relay limit",
        english=say(
            "More was sent at once than Google allows.",
            'You need not do anything: it is tried again. "relay account edit {account} --set'
            ' smtp.messages_per_minute=20" makes it even.',
        ),
        german=say(
            "Es wurde mehr auf einmal gesendet, als Google erlaubt.",
            "Sie brauchen nichts zu tun: Es wird noch einmal versucht. Gleichmäßig verteilt es „relay account edit"
            " {account} --set smtp.messages_per_minute=20“.",
        ),
        source="Google Workspace Admin Help: SMTP relay errors",
    ),
    _used_up(
        "day_limit",
        r"(?:daily|hourly|24 ?h(?:ours)?|per (?:day|hour)) .{0,20}(?:limit|quota)"
        r"|(?:limit|quota) .{0,30}(?:per|in|for) (?:an?|one|this|the|24)? ?(?:day|hours?)\b",
        unless=r"recipient's|receiv|mailbox|storage|inbox",
        english=say("The provider's limit for an hour or a day is used up.", USED_UP_EN),
        german=say(
            "Die Menge, die der Anbieter in einer Stunde oder an einem Tag erlaubt, ist aufgebraucht.", USED_UP_DE
        ),
        source="easyname, Infomaniak and others",
    ),
    Row(
        name="app_password_wanted",
        about=About.LOGIN,
        advice=Advice.AUTHENTICATION,
        says=r"application-specific password|app(?:lication)?[- ]password (?:is )?required",
        english=say(
            "The provider wants a password that is made for programs, in place of the one for its web page.",
            'Make an app password on the provider\'s page, and enter it: "relay account edit {account} --password".',
        ),
        german=say(
            "Der Anbieter verlangt ein Passwort, das für Programme gemacht ist, nicht das für seine Internetseite.",
            "Legen Sie auf der Seite des Anbieters ein App-Passwort an, und geben Sie es ein: „relay account edit"
            " {account} --password“.",
        ),
        source="Google, Yahoo, iCloud",
    ),
    Row(
        name="mailbox_connections",
        about=About.TROUBLE,
        advice=Advice.EXPIRED,
        stages=COLLECTING,
        codes=frozenset({0}),
        says=r"too many (?:concurrent |simultaneous |open |pop3? |imap )*(?:connections|sessions|logins)"
        r"|(?:connection|session)s? limit (?:exceeded|reached)|maximum number of (?:connections|sessions)",
        english=say(
            "More programs read this mailbox, or come from this address, at once than the provider allows.",
            "You need not do anything if it passes. If it stays so, end other programs that collect this mailbox, or"
            " ask for it less often: \"relay account edit {account} --set pop3.interval='15 min'\".",
        ),
        german=say(
            "Mehr Programme zugleich, als der Anbieter erlaubt, lesen dieses Postfach oder kommen von dieser Adresse.",
            "Sie brauchen nichts zu tun, wenn es vorübergeht. Bleibt es so, beenden Sie andere Programme, die dieses"
            " Postfach abholen, oder fragen Sie seltener: „relay account edit {account} --set"
            " pop3.interval='15 min'“.",
        ),
        source="Dovecot: mail_max_userip_connections, and others",
    ),
    _for_now(
        "in-use",
        english=say("Another program reads this mailbox at the moment.", "End it there, or try again in some minutes."),
        german=say(
            "Ein anderes Programm liest dieses Postfach gerade.",
            "Beenden Sie es dort, oder versuchen Sie es in einigen Minuten noch einmal.",
        ),
    ),
    _for_now(
        "login-delay",
        english=say("The provider allows a login only from time to time.", "Try again in some minutes."),
        german=say(
            "Der Anbieter erlaubt eine Anmeldung nur von Zeit zu Zeit.",
            "Versuchen Sie es in einigen Minuten noch einmal.",
        ),
    ),
    _for_now(
        "sys/temp",
        english=say("The provider has a trouble of its own.", "Try again in some minutes."),
        german=say("Der Anbieter hat selbst eine Störung.", "Versuchen Sie es in einigen Minuten noch einmal."),
    ),
)
