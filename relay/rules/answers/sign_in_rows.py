"""What OAuth servers answer to a sign-in: the errors of RFC 6749 section 5.2 and RFC 8628 section 3.5."""

from typing import Final

from relay.rules.answers.row import SIGN_IN_AGAIN_DE, SIGN_IN_AGAIN_EN, About, say
from relay.rules.answers.sign_in_row import oauth

STANDARD_ROWS: Final = (
    oauth(
        "invalid_grant",
        About.LOGIN,
        english=say(
            "The provider does not take the sign-in any more: it has expired, or was taken back.", SIGN_IN_AGAIN_EN
        ),
        german=say(
            "Der Anbieter erkennt die Anmeldung nicht mehr an: Sie ist abgelaufen oder wurde zurückgenommen.",
            SIGN_IN_AGAIN_DE,
        ),
    ),
    oauth(
        "interaction_required login_required consent_required",
        About.LOGIN,
        english=say("The provider wants a person to sign in again.", SIGN_IN_AGAIN_EN),
        german=say("Der Anbieter will, dass sich jemand neu anmeldet.", SIGN_IN_AGAIN_DE),
    ),
    oauth(
        "invalid_client",
        About.CONFIGURATION,
        english=say(
            "The provider does not know the app, or its secret is wrong or over.",
            "Compare client_id in [account.oauth] with the provider's page of the app. Another secret:"
            ' "relay account edit {account} --client-secret".',
        ),
        german=say(
            "Der Anbieter kennt die App nicht, oder ihr Clientgeheimnis ist falsch oder abgelaufen.",
            "Vergleichen Sie client_id in [account.oauth] mit der Seite des Anbieters zur App. Ein anderes"
            " Clientgeheimnis: „relay account edit {account} --client-secret“.",
        ),
    ),
    oauth(
        "unauthorized_client",
        About.CONFIGURATION,
        english=say(
            "The provider does not let the app sign in in this way.",
            "Compare flow in [account.oauth] with what the app may do. At Google a service account needs the"
            " scope in the Admin console (domain-wide delegation).",
        ),
        german=say(
            "Der Anbieter erlaubt der App diese Art der Anmeldung nicht.",
            "Vergleichen Sie flow in [account.oauth] mit dem, was die App darf. Bei Google braucht ein Dienstkonto"
            " die Freigabe in der Admin-Konsole (domainweite Delegierung).",
        ),
    ),
    oauth(
        "invalid_scope",
        About.CONFIGURATION,
        english=say(
            "The provider does not grant the app what was asked for.",
            "Give the app the permissions for SMTP and POP3 or IMAP. Google gives none for mail by flow ="
            ' "device": take "browser".',
        ),
        german=say(
            "Der Anbieter gewährt der App nicht, worum gebeten wurde.",
            "Geben Sie der App die Berechtigungen für SMTP und POP3 oder IMAP. Google gibt mit"
            ' flow = "device" keine für E-Mail: Nehmen Sie "browser".',
        ),
    ),
    oauth(
        "access_denied authorization_declined",
        About.LOGIN,
        english=say("Who signed in did not agree, or may not.", SIGN_IN_AGAIN_EN + " Agree to what is asked."),
        german=say(
            "Beim Anmelden wurde nicht zugestimmt, oder es ist nicht erlaubt.",
            SIGN_IN_AGAIN_DE + " Stimmen Sie dabei zu.",
        ),
    ),
    oauth(
        "expired_token bad_verification_code",
        About.LOGIN,
        english=say(
            "The code has run out before it was entered.", 'Begin again with "relay account authorize {account}".'
        ),
        german=say(
            "Der Code ist abgelaufen, bevor er eingegeben wurde.",
            "Beginnen Sie neu: „relay account authorize {account}“.",
        ),
    ),
    oauth(
        "authorization_pending slow_down",
        About.TROUBLE,
        english=say("The code was not entered yet.", "Enter it on the page that is named."),
        german=say("Der Code wurde noch nicht eingegeben.", "Geben Sie ihn auf der genannten Seite ein."),
    ),
    oauth(
        "temporarily_unavailable server_error",
        About.TROUBLE,
        english=say(
            "The provider's sign-in server has a trouble of its own.",
            "You need not do anything: it is tried again by itself.",
        ),
        german=say(
            "Der Anmeldedienst des Anbieters hat selbst eine Störung.",
            "Sie brauchen nichts zu tun: Es wird von selbst noch einmal versucht.",
        ),
    ),
)
