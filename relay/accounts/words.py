"""What is said to somebody who signs in for an account, in both languages of an office."""

from typing import Final

from relay.presets.preset import Words

DEVICE: Final = Words(
    "Open {page} on any computer, type in the code {code}, and sign in as {user}.\n"
    "Waiting for that, for {minutes} minutes at most.",
    "Öffnen Sie {page} an irgendeinem Rechner, geben Sie den Code {code} ein, und melden Sie sich als {user} an.\n"
    "Darauf wird höchstens {minutes} Minuten lang gewartet.",
)
BROWSER: Final = Words(
    "Open this address in a browser on any computer, and sign in as {user}:\n\n{page}\n\n"
    "In the end the browser goes to {redirect}/?... On this computer that is all. On another one it says that it can't"
    " open that page: copy the whole address out of its address bar, paste it here and press Enter:",
    "Öffnen Sie diese Adresse in einem Browser an irgendeinem Rechner, und melden Sie sich als {user} an:\n\n{page}\n\n"
    "Am Ende geht der Browser zu {redirect}/?... An diesem Rechner ist damit alles getan. An einem anderen meldet er,"
    " dass er die Seite nicht öffnen kann: kopieren Sie die ganze Adresse aus seiner Adresszeile, fügen Sie sie hier"
    " ein, und drücken Sie Enter:",
)
CAME_BACK: Final = Words(
    "A browser came back with an address that {why}.",
    "Ein Browser kam mit einer Adresse zurück, die so nicht geht: sie {why}.",
)
PASTED: Final = Words(
    "What was pasted {why}. Paste the address again:",
    "Was eingefügt wurde, geht so nicht: es {why}. Fügen Sie die Adresse noch einmal ein:",
)
IN_VAIN: Final = Words(
    "nobody has signed in within {minutes} minutes", "in {minutes} Minuten hat sich niemand angemeldet"
)
CODE_OVER: Final = Words(
    "the code has run out before somebody signed in: begin anew",
    "der Code ist abgelaufen, bevor sich jemand angemeldet hat: beginnen Sie von vorn",
)
NO_RENEWAL: Final = Words(
    "the provider gave a token that ends soon, and nothing to renew it by: the registration must allow offline access"
    " (at Microsoft the permission offline_access)",
    "der Anbieter gab ein Token, das bald endet, und nichts, womit es erneuert wird: die Registrierung muss den"
    " Offlinezugriff erlauben (bei Microsoft die Berechtigung offline_access)",
)
REFUSED: Final = Words("{host} says: {refusal}", "{host} sagt: {refusal}")
NOBODY: Final = Words("Nobody is signed in: {why}", "Niemand ist angemeldet: {why}")
ASK_FIRST: Final = Words(
    "Should Microsoft say that an administrator must approve it first: an administrator of the directory opens this"
    " address once, and allows it for all:\n\n{page}\n",
    "Sollte Microsoft sagen, dass erst ein Administrator zustimmen muss: ein Administrator des Verzeichnisses öffnet"
    " einmal diese Adresse, und erlaubt es für alle:\n\n{page}\n",
)
ALLOW: Final = Words(
    "An administrator of the directory allows it at this address:\n\n{page}\n",
    "Ein Administrator des Verzeichnisses erlaubt es unter dieser Adresse:\n\n{page}\n",
)
BY_ITSELF: Final = Words("{account} gets its tokens by itself.", "{account} bekommt seine Token von selbst.")
SIGNED_IN: Final = Words("{account} is signed in as {who}.", "{account} ist als {who} angemeldet.")
TRY_IT: Final = Words(
    "{said} To see whether sending and collecting work: {command}",
    "{said} Ob Senden und Abholen gehen, zeigt: {command}",
)
MISSING: Final = Words(
    "The provider has not granted all that was asked for: {scopes} is missing.",
    "Der Anbieter hat nicht alles gewährt, worum gebeten wurde: {scopes} fehlt.",
)
STRANGER: Final = Words(
    "you signed in as {other}, the account wants {user}",
    "angemeldet haben Sie sich als {other}, das Konto will {user}",
)
STRANGER_ADVICE: Final = Words(
    "Sign in again as {user}, in a private window, since browsers like to take who is signed in already: relay account"
    ' authorize {account}. If {other} is the same person\'s name for signing in, write user = "{other}" into'
    " [account.oauth] of account[{name}].",
    "Melden Sie sich noch einmal als {user} an, in einem privaten Fenster, denn Browser nehmen gern, wer schon"
    " angemeldet ist: relay account authorize {account}. Ist {other} der Anmeldename derselben Person, schreiben Sie"
    ' user = "{other}" in [account.oauth] von account[{name}].',
)
LOOK: Final = Words("Look: {what}. {advice}", "Achtung: {what}. {advice}")
TESTING: Final = Words(
    'The app at Google has the publishing status "Testing": Google ends this sign-in seven days after it. Set the'
    ' status to "In production" (Google Auth platform > Audience), or the user type to "Internal", then sign in once'
    " more: relay account authorize {account}",
    'Die App bei Google hat den Veröffentlichungsstatus "Testing": Google beendet diese Anmeldung nach sieben Tagen.'
    ' Setzen Sie den Status auf "In production" (Google Auth platform > Audience), oder den Nutzertyp auf "Internal",'
    " und melden Sie sich dann noch einmal an: relay account authorize {account}",
)
PERHAPS_TESTING: Final = Words(
    'Should the app at Google have the publishing status "Testing", Google ends this sign-in after seven days: it must'
    ' be "In production", or its user type "Internal" (Google Auth platform > Audience).',
    'Falls die App bei Google den Veröffentlichungsstatus "Testing" hat, beendet Google diese Anmeldung nach sieben'
    ' Tagen: er muss "In production" sein, oder der Nutzertyp "Internal" (Google Auth platform > Audience).',
)
