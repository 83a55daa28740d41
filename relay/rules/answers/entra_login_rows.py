"""Microsoft's AADSTS codes that a new sign-in mends, or time."""

from typing import Final

from relay.rules.answers.row import SIGN_IN_AGAIN_DE, SIGN_IN_AGAIN_EN, About, say
from relay.rules.answers.sign_in_row import entra

ENTRA_LOGIN_ROWS: Final = (
    entra(
        "50076 50079 50074 50158",
        About.LOGIN,
        english=say(
            "Microsoft asks for a second proof of who signs in (multi-factor authentication).",
            SIGN_IN_AGAIN_EN + " Do it in a browser, where the second proof can be given.",
        ),
        german=say(
            "Microsoft verlangt beim Anmelden einen zweiten Nachweis (Mehr-Faktor-Anmeldung).",
            SIGN_IN_AGAIN_DE + " Tun Sie es im Browser; dort lässt sich der zweite Nachweis geben.",
        ),
    ),
    entra(
        "50126",
        About.LOGIN,
        english=say("Microsoft says that the user name or the password is wrong.", SIGN_IN_AGAIN_EN),
        german=say("Microsoft sagt, dass Benutzername oder Passwort falsch ist.", SIGN_IN_AGAIN_DE),
    ),
    entra(
        "50053",
        About.LOGIN,
        english=say(
            "Microsoft has locked the account for a while, or takes no sign-in from this internet address.",
            'Wait for half an hour, then sign in once with "relay account authorize {account}". Each try in between'
            " may lock it for longer.",
        ),
        german=say(
            "Microsoft hat das Konto für eine Weile gesperrt, oder nimmt von dieser Internetadresse keine"
            " Anmeldung an.",
            "Warten Sie eine halbe Stunde, dann melden Sie es einmal neu an: „relay account authorize {account}“."
            " Jeder Versuch dazwischen kann die Sperre verlängern.",
        ),
    ),
    entra(
        "50055",
        About.LOGIN,
        english=say(
            "The person's password at Microsoft has expired.",
            'The person sets a new one at Microsoft\'s sign-in page; then run "relay account authorize {account}".',
        ),
        german=say(
            "Das Passwort der Person bei Microsoft ist abgelaufen.",
            "Die Person setzt auf der Anmeldeseite von Microsoft ein neues; danach: „relay account authorize"
            " {account}“.",
        ),
    ),
    entra(
        "50057",
        About.LOGIN,
        english=say(
            "The person's account at Microsoft is switched off.",
            "An administrator of Microsoft 365 allows its sign-in again: admin centre > Users > Active users.",
        ),
        german=say(
            "Das Konto der Person bei Microsoft ist abgeschaltet.",
            "Ein Administrator von Microsoft 365 erlaubt die Anmeldung wieder: „Admin Center > Benutzer > Aktive"
            " Benutzer“.",
        ),
    ),
    entra(
        "50173 50132 50133",
        About.LOGIN,
        english=say("Microsoft has ended the sign-in, usually since the password was changed.", SIGN_IN_AGAIN_EN),
        german=say("Microsoft hat die Anmeldung beendet, meist weil das Passwort geändert wurde.", SIGN_IN_AGAIN_DE),
    ),
    entra(
        "50196",
        About.LIMIT,
        english=say(
            "Microsoft was asked for the same too often in a short time.",
            "Wait for some minutes, and do not start the service again and again meanwhile.",
        ),
        german=say(
            "Microsoft wurde in kurzer Zeit zu oft nach demselben gefragt.",
            "Warten Sie einige Minuten, und starten Sie den Maildienst so lange nicht immer wieder neu.",
        ),
    ),
    entra(
        "65004",
        About.LOGIN,
        english=say(
            "Who signed in did not agree that the app may use the mailbox.",
            SIGN_IN_AGAIN_EN + " Agree to what is asked.",
        ),
        german=say(
            "Beim Anmelden wurde nicht zugestimmt, dass die App das Postfach benutzen darf.",
            SIGN_IN_AGAIN_DE + " Stimmen Sie dabei zu.",
        ),
    ),
    entra(
        "70043 70044",
        About.LOGIN,
        english=say(
            "A rule of the organisation wants a new sign-in every few hours or days.",
            SIGN_IN_AGAIN_EN + ' For good it helps only to use flow = "app", or an exception from the rule.',
        ),
        german=say(
            "Eine Regel der Organisation verlangt alle paar Stunden oder Tage eine neue Anmeldung.",
            SIGN_IN_AGAIN_DE + ' Auf Dauer hilft nur flow = "app", oder eine Ausnahme von der Regel.',
        ),
    ),
    entra(
        "70008 700082 700084",
        About.LOGIN,
        english=say("The sign-in has expired, usually since it was not used for 90 days.", SIGN_IN_AGAIN_EN),
        german=say("Die Anmeldung ist abgelaufen, meist weil sie 90 Tage lang nicht benutzt wurde.", SIGN_IN_AGAIN_DE),
    ),
    entra(
        "70000",
        About.LOGIN,
        english=say("Microsoft does not take the sign-in any more.", SIGN_IN_AGAIN_EN),
        german=say("Microsoft erkennt die Anmeldung nicht mehr an.", SIGN_IN_AGAIN_DE),
    ),
    entra(
        "70016",
        About.TROUBLE,
        english=say(
            "The code was not entered at Microsoft yet.",
            "Enter it on the page that is named, and the sign-in goes on by itself.",
        ),
        german=say(
            "Der Code wurde bei Microsoft noch nicht eingegeben.",
            "Geben Sie ihn auf der genannten Seite ein; dann geht die Anmeldung von selbst weiter.",
        ),
    ),
    entra(
        "70018",
        About.LOGIN,
        english=say(
            "The code that was entered at Microsoft is not the one that was shown.",
            'Begin again with "relay account authorize {account}", and copy the new code.',
        ),
        german=say(
            "Der Code, der bei Microsoft eingegeben wurde, ist nicht der angezeigte.",
            "Beginnen Sie neu, und übernehmen Sie den neuen Code: „relay account authorize {account}“.",
        ),
    ),
    entra(
        "70019 70020",
        About.LOGIN,
        english=say(
            "The code has run out before it was entered.",
            'Begin again with "relay account authorize {account}". The code holds for a quarter of an hour.',
        ),
        german=say(
            "Der Code ist abgelaufen, bevor er eingegeben wurde.",
            "Beginnen Sie neu: „relay account authorize {account}“. Der Code gilt eine Viertelstunde.",
        ),
    ),
)
