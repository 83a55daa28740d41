"""What `relay init` says at its end, in both languages: what is written, what to set elsewhere, and what is next."""

from typing import Final

from relay.presets.preset import Words

WRITTEN: Final = Words("{path} is written{secret}", "{path} wurde geschrieben{secret}")
PASSWORD_IN: Final = Words("; the password is in {file}", "; das Passwort steht in {file}")
CLIENT_SECRET_IN: Final = Words("; the client secret is in {file}", "; das Clientgeheimnis steht in {file}")
MAIL_PROGRAMS: Final = Words("What to set elsewhere:", "Was anderswo einzustellen ist:")
OR_ADDRESS: Final = Words(
    "{host} (or, where that name is not found, {addresses})",
    "{host} (oder, wo dieser Name nicht gefunden wird, {addresses})",
)
OR: Final = Words("or", "oder")
LISTENER: Final = Words(
    "Port {port} of {host}: encryption {security}, {login}, from {networks}",
    "Port {port} von {host}: Verschlüsselung {security}, {login}, aus {networks}",
)
WITH_LOGIN: Final = Words("with a login", "mit Anmeldung")
WITHOUT_LOGIN: Final = Words("without a login", "ohne Anmeldung")
THUNDERBIRD: Final = Words(
    "Thunderbird: Account Settings > Outgoing Server (SMTP) > Add: server {host}, port {port}, connection security"
    " {thunderbird}, authentication {method}{user}",
    "Thunderbird: Konten-Einstellungen > Postausgangsserver (SMTP) > Hinzufügen: Server {host}, Port {port},"
    " Verbindungssicherheit {thunderbird}, Authentifizierungsmethode {method}{user}",
)
OUTLOOK: Final = Words(
    "Outlook: Account Settings > Server Settings > Outgoing mail: server {host}, port {port}, encryption {outlook},"
    " {login}",
    "Outlook: Kontoeinstellungen > Servereinstellungen > Ausgehende E-Mail: Server {host}, Port {port},"
    " Verschlüsselung {outlook}, {login}",
)
SCANNER: Final = Words(
    "Scanner: SMTP server {host}, port {port}, encryption {scanner}, no login, sender {address}; if it sends as"
    " something else: relay device add Scanner --network ITS-ADDRESS --user {name}",
    "Scanner: SMTP-Server {host}, Port {port}, Verschlüsselung {scanner}, ohne Anmeldung, Absender {address}; sendet er"
    " als etwas anderes: relay device add Scanner --network SEINE-ADRESSE --user {name}",
)
METHOD_PASSWORD: Final = Words("Normal password", "Passwort, normal")
METHOD_NONE: Final = Words("No authentication", "Keine Authentifizierung")
AS_USER: Final = Words(
    ", user name {name}, the password that was just chosen", ", Benutzername {name}, das eben gewählte Passwort"
)
LOGIN_PASSWORD: Final = Words(
    "with the user name {name} and the password that was just chosen",
    "mit dem Benutzernamen {name} und dem eben gewählten Passwort",
)
LOGIN_NONE: Final = Words("without a login (SMTP authentication off)", "ohne Anmeldung (SMTP-Authentifizierung aus)")
NONE: Final = Words("None", "Keine")
STARTTLS_OR_NONE: Final = Words(
    "STARTTLS, or none if it knows no certificate of yours", "STARTTLS, oder keine, wenn er das Zertifikat nicht kennt"
)
TRUST: Final = Words(
    "They warn of the certificate until they know who has signed it: relay certificate show",
    "Sie warnen vor dem Zertifikat, bis sie dessen Aussteller kennen: relay certificate show",
)
ONLY_HERE: Final = Words(
    "Programs on this machine alone send: server 127.0.0.1, port {port}, no encryption, no login. For others write a"
    " [[listener]] (README: Open it to the office).",
    "Nur Programme auf diesem Rechner senden: Server 127.0.0.1, Port {port}, ohne Verschlüsselung, ohne Anmeldung. Für"
    " andere braucht es einen [[listener]] (README: Open it to the office).",
)
INBOXES: Final = Words(
    "Collected mail is in {folder}, as Maildir. Mail programs read it by IMAP (server {host}, port 993, SSL/TLS) once"
    " Dovecot runs here: relay dovecot-config says how.",
    "Abgeholtes liegt in {folder}, als Maildir. Mailprogramme lesen es per IMAP (Server {host}, Port 993, SSL/TLS),"
    " sobald hier Dovecot läuft: relay dovecot-config sagt, wie.",
)
INBOX_PASSWORD: Final = Words(
    "To log in there {name} needs a password: relay user password {name}",
    "Für die Anmeldung dort braucht {name} ein Passwort: relay user password {name}",
)
LOGIN_NEEDS_PASSWORD: Final = Words(
    "To send with a login {name} needs a password: relay user password {name}",
    "Zum Senden mit Anmeldung braucht {name} ein Passwort: relay user password {name}",
)
NEXT_START: Final = Words("Next: systemctl start relay", "Als Nächstes: systemctl start relay")
NEXT_SERVE: Final = Words("Next: relay serve{option}", "Als Nächstes: relay serve{option}")
NEXT_SEND: Final = Words(
    "The service has taken it over. Next: send a mail as {address}, then: relay queue list --state delivered",
    "Der Dienst hat es übernommen. Als Nächstes: eine E-Mail als {address} senden, dann: relay queue list --state"
    " delivered",
)
NEXT_RELOAD: Final = Words(
    "Next: mend what the service says above, then: relay reload{option}",
    "Als Nächstes: beheben Sie, was der Dienst oben bemängelt, dann: relay reload{option}",
)
TO_CHANGE: Final = Words(
    "To change this account later: relay account edit {name}{option}",
    "Dieses Konto später ändern: relay account edit {name}{option}",
)
NEXT_SIGN_IN: Final = Words(
    "Next: relay account authorize {name}{option}, as nobody has signed in yet",
    "Als Nächstes: relay account authorize {name}{option}, denn noch hat sich niemand angemeldet",
)
NEXT_MEND: Final = Words(
    "Next: mend what FAILED above, then: relay account test {name}{option}",
    "Als Nächstes: beheben Sie, was oben mit FAILED gekennzeichnet ist, dann: relay account test {name}{option}",
)
