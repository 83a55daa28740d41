"""What `relay init` says to people, in both languages: questions, and why an answer is wrong."""

from typing import Final

from relay.places import name_page
from relay.presets.preset import Words

# Questions. Each is followed by its default, in brackets, and a colon.
LANGUAGE: Final = Words("Language / Sprache (en, de)", "Language / Sprache (en, de)")
HOSTNAME: Final = Words(
    "This machine's name, by which the others find it, such as mail.office.lan",
    "Name dieses Rechners, unter dem ihn die anderen finden, etwa mail.buero.lan",
)
SHORT_HOSTNAME: Final = Words(
    "This machine calls itself {name}, and providers want a full name with a dot (such as mail.company.com): the"
    " router's page often shows it.",
    "Dieser Rechner nennt sich {name}; Anbieter wollen einen vollständigen Namen mit Punkt (etwa mail.firma.de): oft"
    " zeigt ihn die Seite des Routers.",
)
USER_NAME: Final = Words("A short name for you, such as anna", "Ein kurzer Name für Sie, etwa anna")
USER_ADDRESS: Final = Words("The mail address of {name}", "Die E-Mail-Adresse von {name}")
USER_MORE: Final = Words(
    "A short name for somebody else who sends or gets mail here (Enter: nobody)",
    "Ein kurzer Name für jemanden, der hier auch E-Mails sendet oder bekommt (Enter: niemand)",
)
USER_PAIR: Final = Words(
    "A user: short name and mail address, such as anna=anna@example.com",
    "Ein Benutzer: kurzer Name und E-Mail-Adresse, etwa anna=anna@example.com",
)
ADDRESS: Final = Words(
    "The address whose mailbox at a provider this machine is to use",
    "Die Adresse, deren Postfach beim Anbieter dieser Rechner benutzen soll",
)
ACCOUNT_NAME: Final = Words("A name for this account, such as sales", "Ein Name für dieses Konto, etwa vertrieb")
OWNER: Final = Words("Who gets its mail: {names}", "Wer bekommt diese E-Mails: {names}")
PRESET: Final = Words("The provider, such as ionos or gmx", "Der Anbieter, etwa ionos oder gmx")
DATABASE: Final = Words(
    "Nothing is known of {domain}. Shall Thunderbird's database be asked? Mozilla learns the name {domain} then",
    "Zu {domain} ist nichts bekannt. Soll die Datenbank von Thunderbird gefragt werden? Mozilla erfährt dann den Namen"
    " {domain}",
)
SMTP_HOST: Final = Words("The provider's server for sending (SMTP)", "Der Server des Anbieters zum Senden (SMTP)")
SMTP_PORT: Final = Words("Its port (587 or 465)", "Sein Port (587 oder 465)")
POP3_PORT: Final = Words("Its port (995 or 110)", "Sein Port (995 oder 110)")
SECURITY: Final = Words(
    "How it encrypts: tls (from the first byte), starttls, none",
    "Wie er verschlüsselt: tls (vom ersten Byte an), starttls, none (gar nicht)",
)
COLLECT: Final = Words(
    "Shall mail be collected there as well (POP3)?", "Sollen E-Mails dort auch abgeholt werden (POP3)?"
)
POP3_HOST: Final = Words("The provider's server for collecting (POP3)", "Der Server des Anbieters zum Abholen (POP3)")
USERNAME: Final = Words("The user name there", "Der Benutzername dort")
SIGN_IN: Final = Words(
    "Sign in with {title} in a browser, in place of a password?",
    "Bei {title} im Browser anmelden, anstatt mit einem Passwort?",
)
FLOW: Final = Words(
    "How: device (a code, on any computer), browser, or app (nobody signs in; for administrators)",
    "Wie: device (ein Code, an irgendeinem Rechner), browser, oder app (niemand meldet sich an; für Administratoren)",
)
CLIENT_ID: Final = Words(
    f"The client id of your registration at the provider ({name_page('providers')} says how to make one)",
    f"Die Client-ID Ihrer Registrierung beim Anbieter (wie man sie anlegt, steht in {name_page('providers')})",
)
TENANT: Final = Words(
    "Your organisation's domain or id at Microsoft", "Domain oder ID Ihrer Organisation bei Microsoft"
)
TOKEN_URL: Final = Words(
    "The token endpoint of that provider: the address where tokens come from, https://...",
    "Der Token-Endpunkt dieses Anbieters: die Adresse, von der Tokens kommen, https://...",
)
DEVICE_URL: Final = Words(
    "Its device authorization endpoint: the address where the code comes from that somebody enters, https://...",
    "Sein Endpunkt für Geräte: die Adresse, von der der Code kommt, den jemand eingibt, https://...",
)
AUTHORIZE_URL: Final = Words(
    "Its authorization endpoint: the page where somebody signs in, https://...",
    "Sein Autorisierungs-Endpunkt: die Seite, auf der sich jemand anmeldet, https://...",
)
SCOPES: Final = Words(
    "The permissions (scopes) to ask for, with blanks between (Enter: none)",
    "Die Berechtigungen (Scopes), die verlangt werden, mit Leerzeichen dazwischen (Enter: keine)",
)
CLIENT_SECRET: Final = Words(
    "The client secret of your registration at the provider (not shown)",
    "Das Clientgeheimnis Ihrer Registrierung beim Anbieter (wird nicht angezeigt)",
)
CLIENT_SECRET_OR_NONE: Final = Words(
    "The client secret of your registration at the provider (not shown; Enter: it has none)",
    "Das Clientgeheimnis Ihrer Registrierung beim Anbieter (wird nicht angezeigt; Enter: keines)",
)
SECRET_EXPIRES: Final = Words(
    "On which day does it end, as the provider showed it, such as 2027-06-30 (Enter: not known)",
    "An welchem Tag läuft es ab, wie vom Anbieter angezeigt, etwa 2027-06-30 (Enter: unbekannt)",
)
PASSWORD: Final = Words("Password of {address} (not shown)", "Passwort von {address} (wird nicht angezeigt)")
BLANKS_GONE: Final = Words(
    "Google shows an app password with blanks: it is taken without them",
    "Google zeigt ein App-Passwort mit Leerzeichen: es wird ohne sie übernommen",
)
ARCHIVE: Final = Words(
    "Shall a copy of each sent mail go to an address, the office's archive? Which (Enter: none)",
    "Soll eine Kopie jeder gesendeten E-Mail an eine Adresse gehen, das Archiv des Büros? Welche (Enter: keine)",
)
OPEN_NETWORKS: Final = Words(
    "So that scanners can send, networks get a port without a login: whoever connects from there may send as any user."
    " Name only networks whose people and machines you trust; `relay check` and each start remind you of it.",
    "Damit Scanner senden können, bekommen Netze einen Port ohne Anmeldung: wer von dort kommt, kann als jeder Benutzer"
    " senden. Nennen Sie nur Netze, deren Menschen und Geräten Sie trauen; `relay check` und jeder Start erinnern"
    " daran.",
)
NETWORKS: Final = Words(
    "From which networks may mail programs and scanners send? (Enter: {proposed}; - : this machine alone)",
    "Aus welchen Netzen dürfen Mailprogramme und Scanner senden? (Enter: {proposed}; - : nur dieser Rechner)",
)
CERTIFICATE: Final = Words(
    "A certificate, so that passwords and mail are encrypted here: make (this machine makes its own), files (you have"
    " one), none",
    "Ein Zertifikat, damit Passwörter und E-Mails hier verschlüsselt sind: make (dieser Rechner erstellt ein eigenes),"
    " files (Sie haben eines), none (keines)",
)
CERTIFICATE_FILE: Final = Words("Its file, with the chain (PEM)", "Seine Datei, mit der Kette (PEM)")
KEY_FILE: Final = Words("The file of its key", "Die Datei seines Schlüssels")
USER_PASSWORD: Final = Words(
    "A password with which the mail program of {name} logs in here (not shown; Enter: none)",
    "Ein Passwort, mit dem sich das Mailprogramm von {name} hier anmeldet (wird nicht angezeigt; Enter: keines)",
)
REPEAT: Final = Words("The password again", "Passwort wiederholen")
YES_NO: Final = Words("Y/n", "J/n")
NO_YES: Final = Words("y/N", "j/N")

# What is told between the questions.
BEGIN: Final = Words(
    "A few questions, then {path} is written. In [brackets] is what Enter means; < leads back to the question before;"
    " with Ctrl-C nothing is written.",
    "Einige Fragen, dann wird {path} geschrieben. In [Klammern] steht, was Enter bedeutet; < führt zur vorigen Frage"
    " zurück; Strg-C beendet alles, und nichts wird geschrieben.",
)
FIRST: Final = Words("This is the first question", "Das ist die erste Frage")
LOOKING: Final = Words("Looking up the provider of {domain} ...", "Der Anbieter von {domain} wird gesucht ...")
BY_DOMAIN: Final = Words("the domain {domain} is theirs", "die Domain {domain} gehört ihm")
BY_EXCHANGER: Final = Words(
    "the DNS says that they take the mail of {domain}", "laut DNS nimmt er die E-Mails von {domain} an"
)
BY_AUTOCONFIG: Final = Words("the web server of {domain} says so", "das sagt der Webserver von {domain}")
BY_DATABASE: Final = Words(
    "Thunderbird's database says so of {domain}", "das sagt die Datenbank von Thunderbird über {domain}"
)
FOUND: Final = Words("The provider is {title}: {how}.", "Der Anbieter ist {title}: {how}.")
FOUND_SERVER: Final = Words(
    "{kind}: server {host}, port {port} ({security}), user name {user}; {how}.",
    "{kind}: Server {host}, Port {port} ({security}), Benutzername {user}; {how}.",
)
PROVIDER: Final = Words("Preset {name}: {title}, as of {day}", "Voreinstellung {name}: {title}, Stand {day}")
SERVER: Final = Words("  {kind}: {host}, port {port}", "  {kind}: {host}, Port {port}")
WHICH_PASSWORD: Final = Words("Which password: {text}", "Welches Passwort: {text}")
OWN_HOST: Final = Words(
    "At {title} each account has a server of its own: {text}",
    "Bei {title} hat jedes Konto einen eigenen Server: {text}",
)
NO_POP3: Final = Words(
    "{title} offers no POP3, so that nothing can be collected there; sending works.",
    "{title} bietet kein POP3: dort kann nichts abgeholt werden; senden geht.",
)
ONLY_SIGN_IN: Final = Words(
    "{title} takes no password here; somebody signs in instead.",
    "{title} nimmt hier kein Passwort; stattdessen meldet sich jemand an.",
)
KEPT_THERE: Final = Words(
    "Collected mail stays at the provider for 14 days: while you try this out nothing can be lost.",
    "Abgeholte E-Mails bleiben 14 Tage beim Anbieter: während Sie das ausprobieren, kann nichts verloren gehen.",
)
UNKNOWN: Final = Words(
    "Nothing is known of the provider. Its letter or help pages name the servers.",
    "Zum Anbieter ist nichts bekannt. Sein Brief oder seine Hilfeseiten nennen die Server.",
)
NAME_THEM: Final = Words(
    "Then name the servers yourself. The provider's letter or help pages name them.",
    "Dann nennen Sie die Server bitte selbst. Sie stehen im Brief oder auf den Hilfeseiten des Anbieters.",
)

# Why an answer is asked for again.
NOT_ONE_OF: Final = Words("Please answer one of: {names}", "Bitte eines davon: {names}")
NOT_A_HOSTNAME: Final = Words(
    "{value}: is no host name; it is letters, digits and hyphens, with dots between, such as mail.office.lan",
    "{value}: ist kein Rechnername; er besteht aus Buchstaben, Ziffern und Bindestrichen, mit Punkten dazwischen, etwa"
    " mail.buero.lan",
)
NOT_AN_ADDRESS: Final = Words(
    "{value}: is no mail address; one looks like anna@example.com",
    "{value}: ist keine E-Mail-Adresse; eine sieht aus wie anna@example.com",
)
NOT_A_USER: Final = Words(
    "{value}: can't be a short name: letters a to z, digits, and . _ - (it names the folder of the inbox)",
    "{value}: kann kein kurzer Name sein: Buchstaben a bis z, Ziffern und . _ - (der Ordner des Posteingangs heißt so)",
)
NOT_NAME_AND_ADDRESS: Final = Words(
    "{value}: write a user as anna=anna@example.com", "{value}: ein Benutzer wird so geschrieben: anna=anna@example.com"
)
TWICE: Final = Words("{value}: is there already", "{value}: gibt es schon")
NOT_A_HOST: Final = Words(
    "{value}: is no server; its name looks like smtp.provider.example, without a port",
    "{value}: ist kein Server; sein Name sieht aus wie smtp.anbieter.example, ohne Port",
)
NOT_A_PORT: Final = Words(
    "{value}: is no port; it is a number from 1 to 65535", "{value}: ist kein Port; er ist eine Zahl von 1 bis 65535"
)
NOT_A_NETWORK: Final = Words(
    "{value}: is no network; one looks like 192.168.1.0/24, a single machine like 192.168.1.40",
    "{value}: ist kein Netz; eines sieht aus wie 192.168.1.0/24, ein einzelnes Gerät wie 192.168.1.40",
)
NOT_AN_ACCOUNT: Final = Words(
    "{value}: can't be the name of an account: no slashes, at most 100 characters, no . or - at its beginning",
    "{value}: kann kein Name eines Kontos sein: keine Schrägstriche, höchstens 100 Zeichen, kein . oder - am Anfang",
)
NOT_A_PRESET: Final = Words(
    "{value}: no provider is known by this name; known are {names}",
    "{value}: unter diesem Namen ist kein Anbieter bekannt; bekannt sind {names}",
)
NO_FILE: Final = Words(
    "{value}: there is no such file, or it can't be read",
    "{value}: diese Datei gibt es nicht, oder sie ist nicht lesbar",
)
NOT_AN_ENDPOINT: Final = Words(
    "It must be an address such as https://login.provider.example/token, with neither a login nor a # in it",
    "Es muss eine Adresse sein wie https://login.anbieter.example/token, ohne Anmeldung und ohne # darin",
)
NOT_A_DAY: Final = Words("{value}: is no day such as 2027-06-30", "{value}: ist kein Tag wie 2027-06-30")
GIVE_NAME: Final = Words("Please give a name", "Bitte geben Sie einen Namen an")
GIVE_ADDRESS: Final = Words("Please give a mail address", "Bitte geben Sie eine E-Mail-Adresse an")
GIVE_SERVER: Final = Words("Please give a server", "Bitte geben Sie einen Server an")
GIVE_PORT: Final = Words("Please give a port", "Bitte geben Sie einen Port an")
GIVE_FILE: Final = Words("Please give a file", "Bitte geben Sie eine Datei an")
NOTHING: Final = Words("Please answer something", "Bitte geben Sie etwas ein")
NOT_A_SECRET: Final = Words("It must be one line of text", "Es muss eine Zeile Text sein")

DIFFERENT: Final = Words("These were not the same", "Die beiden Eingaben stimmen nicht überein")
ENDED: Final = Words("Nothing was written.", "Es wurde nichts geschrieben.")
