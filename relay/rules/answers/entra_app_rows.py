"""Microsoft's AADSTS codes that an administrator must mend: of the app, the organisation, or relay.toml."""

from typing import Final

from relay.rules.answers.advices import BY_OAUTH_DE, BY_OAUTH_EN
from relay.rules.answers.row import About, say
from relay.rules.answers.sign_in_row import entra

ENTRA_APP_ROWS: Final = (
    entra(
        "50034 51004",
        About.CONFIGURATION,
        english=say(
            "Microsoft does not know this person in the organisation that tenant names.",
            "Compare tenant and user in [account.oauth] with the organisation's id and the person's address.",
        ),
        german=say(
            "Microsoft kennt diese Person in der Organisation nicht, die unter tenant eingetragen ist.",
            "Vergleichen Sie tenant und user in [account.oauth] mit der Kennung der Organisation und der Adresse"
            " der Person.",
        ),
    ),
    entra(
        "50020 500208 500200",
        About.CONFIGURATION,
        english=say(
            "The kind of account does not fit: a personal Microsoft account at an app for organisations, or the"
            " other way round.",
            "Sign in with an account of the organisation, or let the app registration admit this kind as well.",
        ),
        german=say(
            "Die Art des Kontos passt nicht: ein persönliches Microsoft-Konto bei einer App für Organisationen,"
            " oder umgekehrt.",
            "Melden Sie sich mit einem Konto der Organisation an, oder lassen Sie in der App-Registrierung auch"
            " diese Art zu.",
        ),
    ),
    entra(
        "50105",
        About.CONFIGURATION,
        english=say(
            "This person may not use the app: it is open only for people who are assigned to it.",
            "Assign the person in Entra: Enterprise applications > the app > Users and groups.",
        ),
        german=say(
            "Diese Person darf die App nicht benutzen: Sie steht nur denen offen, die ihr zugewiesen sind.",
            "Weisen Sie die Person in Entra zu: „Unternehmensanwendungen > die App > Benutzer und Gruppen“.",
        ),
    ),
    entra(
        "50194",
        About.CONFIGURATION,
        english=say(
            "The app belongs to one organisation, and is asked at the address for all.",
            "Write the organisation's id (Directory (tenant) ID) into tenant of [account.oauth].",
        ),
        german=say(
            "Die App gehört zu einer einzigen Organisation, angefragt wird sie aber an der Adresse für alle.",
            "Tragen Sie in tenant von [account.oauth] die Kennung der Organisation ein („Verzeichnis-ID (Mandant)“).",
        ),
    ),
    entra(
        "50011",
        About.CONFIGURATION,
        english=say(
            "The app does not know the address to which the sign-in leads back.",
            "Add http://localhost in Entra: App registrations > the app > Authentication > Mobile and desktop"
            " applications.",
        ),
        german=say(
            "Die App kennt die Adresse nicht, zu der die Anmeldung zurückführt.",
            "Tragen Sie in Entra „http://localhost“ ein: „App-Registrierungen > die App > Authentifizierung >"
            " Mobilgerät- und Desktopanwendungen“.",
        ),
    ),
    entra(
        "53000 53001 53003 530032",
        About.CONFIGURATION,
        english=say(
            "A rule of the organisation (Conditional Access) forbids this sign-in, often the one with a code.",
            'Try flow = "browser" in [account.oauth]. If that is forbidden as well, an administrator of Microsoft'
            ' 365 must make an exception, or use flow = "app".',
        ),
        german=say(
            "Eine Regel der Organisation (Bedingter Zugriff) verbietet diese Anmeldung, oft die mit einem Code.",
            'Versuchen Sie flow = "browser" in [account.oauth]. Ist auch das verboten, muss ein Administrator von'
            ' Microsoft 365 eine Ausnahme machen, oder Sie nehmen flow = "app".',
        ),
    ),
    entra(
        "530035",
        About.CONFIGURATION,
        english=say(
            "The organisation's security defaults forbid this old way of signing in.",
            BY_OAUTH_EN,
        ),
        german=say(
            "Die Sicherheitsstandards der Organisation verbieten diese alte Art der Anmeldung.",
            BY_OAUTH_DE,
        ),
    ),
    entra(
        "65001",
        About.CONFIGURATION,
        needs_consent=True,
        english=say(
            "Nobody has agreed yet that the app may use this mailbox.",
            '"relay account authorize {account}" shows the link by which an administrator of Microsoft 365 agrees'
            " for everybody.",
        ),
        german=say(
            "Noch hat niemand zugestimmt, dass die App dieses Postfach benutzen darf.",
            "„relay account authorize {account}“ zeigt den Link, mit dem ein Administrator von Microsoft 365 für"
            " alle zustimmt.",
        ),
    ),
    entra(
        "90094 90095 90093",
        About.CONFIGURATION,
        needs_consent=True,
        english=say(
            "Only an administrator of Microsoft 365 may agree that the app uses mailboxes.",
            '"relay account authorize {account}" shows the link that the administrator needs; then sign in again.',
        ),
        german=say(
            "Nur ein Administrator von Microsoft 365 darf zustimmen, dass die App Postfächer benutzt.",
            "„relay account authorize {account}“ zeigt den Link, den der Administrator braucht; danach melden Sie"
            " das Konto neu an.",
        ),
    ),
    entra(
        "65002",
        About.CONFIGURATION,
        english=say(
            "client_id belongs to a program of Microsoft's own, which others may not use.",
            "Register an app of your own, and write its id into client_id of [account.oauth].",
        ),
        german=say(
            "Die Kennung in client_id gehört einem Programm von Microsoft selbst, das andere nicht benutzen dürfen.",
            "Registrieren Sie eine eigene App, und tragen Sie ihre Kennung in client_id von [account.oauth] ein.",
        ),
    ),
    entra(
        "700016",
        About.CONFIGURATION,
        english=say(
            "There is no app with this client_id in the organisation.",
            "client_id is the Application (client) ID of the app registration, no address; tenant must be the"
            " organisation that it is in.",
        ),
        german=say(
            "In der Organisation gibt es keine App mit der Kennung aus client_id.",
            "In client_id gehört die „Anwendungs-ID (Client)“ der App-Registrierung, keine Adresse; tenant muss"
            " die Organisation sein, zu der sie gehört.",
        ),
    ),
    entra(
        "700025",
        About.CONFIGURATION,
        english=say(
            "The app is a public one, which has no secret, but one was sent.",
            "Take client_secret out of [account.oauth].",
        ),
        german=say(
            "Die App ist eine öffentliche ohne Clientgeheimnis, gesendet wurde aber eines.",
            "Nehmen Sie client_secret aus [account.oauth] heraus.",
        ),
    ),
    entra(
        "7000215",
        About.CONFIGURATION,
        english=say(
            "client_secret is wrong.",
            "Copy the Value of the secret in Entra, not the Secret ID; it is shown only when it is made, so make"
            " a new one if need be.",
        ),
        german=say(
            "Das Clientgeheimnis in client_secret ist falsch.",
            "Kopieren Sie in Entra den „Wert“ des Clientgeheimnisses, nicht die „Geheime ID“; er wird nur beim Anlegen"
            " gezeigt, legen Sie notfalls ein neues an.",
        ),
    ),
    entra(
        "7000218",
        About.CONFIGURATION,
        english=say(
            "The app may not sign in without a secret.",
            "Switch it on in Entra: App registrations > the app > Authentication > Allow public client flows = Yes.",
        ),
        german=say(
            "Die App darf sich nicht ohne Clientgeheimnis anmelden.",
            "Schalten Sie es in Entra ein: „App-Registrierungen > die App > Authentifizierung > Öffentliche"
            " Clientflows zulassen = Ja“.",
        ),
    ),
    entra(
        "7000222",
        About.CONFIGURATION,
        english=say(
            "client_secret has expired.",
            "Make a new one in Entra (App registrations > the app > Certificates & secrets), then give it"
            ' here: "relay account edit {account} --client-secret --secret-expires DAY".',
        ),
        german=say(
            "Das Clientgeheimnis in client_secret ist abgelaufen.",
            "Legen Sie in Entra ein neues an („App-Registrierungen > die App > Zertifikate & Geheimnisse“), und"
            " geben Sie es hier ein: „relay account edit {account} --client-secret --secret-expires TAG“.",
        ),
    ),
    entra(
        "9001023",
        About.CONFIGURATION,
        english=say(
            'flow = "app" works only at the address of one organisation.',
            "Write the organisation's id or domain into tenant of [account.oauth].",
        ),
        german=say(
            'Mit flow = "app" geht die Anmeldung nur an der Adresse einer einzelnen Organisation.',
            "Tragen Sie die Kennung oder die Domäne der Organisation in tenant von [account.oauth] ein.",
        ),
    ),
    entra(
        "9002332 9002331 9002346",
        About.CONFIGURATION,
        english=say(
            "The app is made for another kind of account than the one that tenant stands for.",
            'For accounts of an organisation write its id into tenant; "consumers" is for personal accounts alone.',
        ),
        german=say(
            "Die App ist für eine andere Art von Konto gemacht als die, für die tenant steht.",
            'Für Konten einer Organisation gehört deren Kennung in tenant; "consumers" gilt nur für persönliche'
            " Konten.",
        ),
    ),
    entra(
        "90002",
        About.CONFIGURATION,
        english=say(
            "Microsoft does not know the organisation that tenant names.",
            "Compare tenant in [account.oauth] with the Directory (tenant) ID in Entra, sign by sign.",
        ),
        german=say(
            "Microsoft kennt die Organisation nicht, die in tenant eingetragen ist.",
            "Vergleichen Sie tenant in [account.oauth] Zeichen für Zeichen mit der „Verzeichnis-ID (Mandant)“ in"
            " Entra.",
        ),
    ),
)
