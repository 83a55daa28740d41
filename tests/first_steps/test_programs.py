from pathlib import Path

import pytest

from relay.first_steps.programs import describe_programs
from relay.settings import load_settings

USER = '[[user]]\nname = "anna"\naddress = "anna@example.com"\n'
HASH = 'password_hash = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGg"\n'
OPEN = '[[listener]]\nhost = "0.0.0.0"\nport = 2525\nnetworks = ["192.168.1.0/24"]\n'
LOGIN = '[[listener]]\nhost = "0.0.0.0"\nport = 587\nnetworks = ["192.168.1.0/24"]\nrequire_auth = true\n'
ACCOUNT = '[[account]]\nname = "anna"\naddress = "info@example.com"\nowner = "anna"\n'
POP3 = '[account.pop3]\nhost = "h"\nusername = "a"\npassword = "p"\n'
HOST = {
    "en": "mail.office.lan (or, where that name is not found, 192.168.1.7)",
    "de": "mail.office.lan (oder, wo dieser Name nicht gefunden wird, 192.168.1.7)",
}


def describe(tmp_path: Path, *tables: str, language: str = "en") -> list[str]:
    text = f'language = "{language}"\n[server]\nhostname = "mail.office.lan"\npostmaster = "anna"\n' + "".join(tables)
    settings = load_settings(tmp_path / "relay.toml", written=text.encode(), secrets=False)
    user = settings.directory.users[0]
    return list(describe_programs(settings, user, "info@example.com", ["192.168.1.7"]))


@pytest.mark.parametrize("language", ["en", "de"])
def test_without_networks_only_programs_of_this_machine_send(tmp_path: Path, language: str) -> None:
    (line,) = describe(tmp_path, USER, ACCOUNT, language=language)
    assert "2525" in line
    begin = "Programs on this machine alone send" if language == "en" else "Nur Programme auf diesem Rechner senden"
    assert line.startswith(f"{begin}: ")
    assert "127.0.0.1" in line


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_open_listener_serves_all_without_a_login(tmp_path: Path, language: str) -> None:
    thunderbird, outlook, scanner, inbox, password = describe(tmp_path, OPEN, USER, ACCOUNT, POP3, language=language)
    if language == "de":
        assert "Verbindungssicherheit Keine, Authentifizierungsmethode Keine Authentifizierung" in thunderbird
        assert f"Ausgehende E-Mail: Server {HOST[language]}, Port 2525, Verschlüsselung Keine" in outlook
        assert "ohne Anmeldung, Absender info@example.com" in scanner
        assert "Abgeholtes liegt in " in inbox
        assert password.startswith("Für die Anmeldung dort braucht anna ein Passwort")
    else:
        assert "connection security None, authentication No authentication" in thunderbird
        assert "encryption None, without a login" in outlook
        assert "no login, sender info@example.com" in scanner
    for line in (thunderbird, outlook, scanner):
        assert HOST[language] in line
        assert "2525" in line
        assert "STARTTLS" not in line
        assert "{" not in line
    assert "info@example.com" in scanner
    assert str(tmp_path / "inboxes" / "anna") in inbox
    assert "relay user password anna" in password


def test_who_has_a_password_logs_in_and_the_scanner_does_not(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    import trustme  # noqa: PLC0415 - beside its use

    made = trustme.CA().issue_cert("mail.office.lan")
    made.cert_chain_pems[0].write_to_path(certificate)
    made.private_key_pem.write_to_path(key)
    tls = f'tls = "starttls"\ncertificate = "{certificate}"\nprivate_key = "{key}"\n'
    all_of_them = describe(tmp_path, OPEN, tls, LOGIN, tls, USER, HASH, ACCOUNT)
    assert all_of_them[:2] == [
        f"Port {port} of {HOST['en']}: encryption STARTTLS, {login}, from 192.168.1.0/24"
        for port, login in ((2525, "without a login"), (587, "with a login"))
    ]
    thunderbird, outlook, scanner, trust = all_of_them[2:]
    assert "port 587, connection security STARTTLS, authentication Normal password, user name anna" in thunderbird
    assert "port 587, encryption STARTTLS, with the user name anna" in outlook
    assert "port 2525, encryption STARTTLS, or none" in scanner
    assert "relay certificate show" in trust
    other = USER.replace("anna", "bert") + HASH
    thunderbird = describe(tmp_path, OPEN, tls, LOGIN, tls, USER, other, ACCOUNT)[2]
    assert "port 2525" in thunderbird
    thunderbird, *_, password = describe(tmp_path, LOGIN, tls, USER, other, ACCOUNT)
    assert "port 587" in thunderbird
    assert password == "To send with a login anna needs a password: relay user password anna"
    *_, password = describe(tmp_path, LOGIN, tls, USER, other, ACCOUNT, language="de")
    assert password == "Zum Senden mit Anmeldung braucht anna ein Passwort: relay user password anna"
