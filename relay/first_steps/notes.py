"""The notes that `relay init` writes into the file, in both languages."""

from typing import Final

from relay.presets.preset import Words

TOP: Final = Words(
    "The configuration of the mail service, written by `relay init`. After each change: relay check && relay reload\n"
    "More accounts, users, scanners: relay account add, relay user add, relay device add",
    "Die Konfiguration des Maildienstes, geschrieben von `relay init`. Nach jeder Änderung: relay check &&"
    " relay reload\n"
    "Weitere Konten, Benutzer, Scanner: relay account add, relay user add, relay device add",
)
LANGUAGE: Final = Words("The language of notices and alerts.", "Die Sprache der Mitteilungen und Warnungen.")
SERVER: Final = Words(
    "What this machine is called, and who is told when something needs a person.",
    "Wie dieser Rechner heißt, und wer erfährt, wenn jemand etwas tun muss.",
)
STORAGE: Final = Words("Where the queue and the inboxes are.", "Wo die Warteschlange und die Posteingänge liegen.")
OPEN: Final = Words(
    "Where scanners and programs of these networks hand in mail, without a login.",
    "Hier geben Scanner und Programme aus diesen Netzen E-Mails ab, ohne Anmeldung.",
)
LOGIN: Final = Words(
    "Where mail programs hand in mail, with a login.", "Hier geben Mailprogramme E-Mails ab, mit Anmeldung."
)
USER: Final = Words("The people of the office.", "Die Leute im Büro.")
ACCOUNT: Final = Words(
    "An account at the provider: below it how it sends and is collected.",
    "Ein Konto beim Anbieter: darunter, wie es sendet und abgeholt wird.",
)
OAUTH: Final = Words(
    "It logs in by a token: relay account authorize {name}",
    "Es meldet sich mit einem Token an: relay account authorize {name}",
)
POP3: Final = Words(
    "Collected mail stays at the provider for so long; false: it is deleted there at once.",
    "So lange bleibt Abgeholtes beim Anbieter; false: dort wird es gleich gelöscht.",
)
ARCHIVE: Final = Words(
    "A blind copy of each sent mail goes there.", "Dorthin geht eine Blindkopie jeder gesendeten E-Mail."
)
KEPT: Final = Words("From the file that was there before.", "Aus der Datei, die vorher da war.")
