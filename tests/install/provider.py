"""The provider, beside the office in one container: a Postfix for submission, a Dovecot for POP3, each on its address.

They take a password, or a token of an authorization server (tests/peers/oauth_server.py), which Dovecot asks whose it
is; that one runs on the machine's own Python, once it has one.

Both ask for TLS with certificates of an authority that the machine trusts, and for a login. What the office sends to
its own address comes into the mailbox that it collects; what it sends to a customer stays there for the test to see.
"""

import email
import email.policy
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import trustme

from tests.install.container import Container
from tests.peers import oauth_server
from tests.peers.postfix import SERVICES

PASSWORD: Final = "correct-horse battery"
LOGINS: Final = ("anna@example.com", "sales@example.com")
SMTP: Final = "127.0.0.10"
POP3: Final = "127.0.0.11"
ISSUER_PORT: Final = 8999
ISSUER: Final = f"http://127.0.0.1:{ISSUER_PORT}"
HOSTS: Final = f"127.0.0.1 localhost\n{SMTP} smtp.provider.example\n{POP3} pop.provider.example\n"

_MAIN: Final = """\
compatibility_level = 3.6
maillog_file = /var/log/provider-smtp.log
myhostname = smtp.provider.example
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
local_transport = error:no local mail
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = /etc/provider/smtp.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_sender_login_maps = texthash:/etc/provider/senders
smtpd_sender_restrictions = reject_sender_login_mismatch
virtual_mailbox_domains = example.com, example.net
virtual_mailbox_base = /srv/provider
virtual_mailbox_maps = texthash:/etc/provider/boxes
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
"""

_DOVECOT: Final = {
    "12": """\
protocols = pop3
ssl = required
ssl_cert = </etc/provider/pop.pem
ssl_key = </etc/provider/pop.pem
mail_location = maildir:/srv/provider/%n
passdb {
  driver = passwd-file
  args = /etc/provider/users
  mechanisms = plain login
}
passdb {
  driver = oauth2
  args = /etc/provider/oauth2.conf
  mechanisms = xoauth2 oauthbearer
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=/srv/provider
}
""",
    "13": """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = pop3
ssl = required
ssl_server_cert_file = /etc/provider/pop.pem
ssl_server_key_file = /etc/provider/pop.pem
mail_driver = maildir
mail_path = /srv/provider/%{user | username}
passdb passwd-file {
  passwd_file_path = /etc/provider/users
  mechanisms_filter = plain login
}
passdb oauth2 {
  mechanisms_filter = xoauth2 oauthbearer
}
oauth2 {
  introspection_mode = auth
  introspection_url = ISSUER/introspect
  username_attribute = username
  active_attribute = active
  active_value = true
}
userdb static {
  fields {
    uid = 65534
    gid = 65534
    home = /srv/provider
  }
}
""",
}
_OAUTH2: Final = f"""\
introspection_mode = auth
introspection_url = {ISSUER}/introspect
username_attribute = username
active_attribute = active
active_value = true
"""
_DOVECOT_COMMON: Final = f"""\
auth_mechanisms = plain login xoauth2 oauthbearer
base_dir = /run/provider
state_dir = /var/lib/provider
log_path = /var/log/provider-pop3.log
listen = {POP3}
service pop3-login {{
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = 995
    ssl = yes
  }}
}}
service auth {{
  unix_listener /var/spool/postfix/private/auth {{
    mode = 0660
    user = postfix
  }}
}}
"""

_UNIT: Final = """\
[Unit]
Description=The provider: {name}
[Service]
ExecStart={command}
{more}[Install]
WantedBy=multi-user.target
"""


def install_provider(container: Container, version: str) -> None:
    """Write all that the provider needs into a container that is not booted yet; it starts with the machine."""
    authority = trustme.CA()
    container.write("usr/local/share/ca-certificates/provider.crt", authority.cert_pem.bytes())
    for name in ("smtp", "pop"):
        issued = authority.issue_cert(f"{name}.provider.example").private_key_and_cert_chain_pem
        container.write(f"etc/provider/{name}.pem", issued.bytes(), mode=0o600)
    container.write("etc/hosts", HOSTS)
    container.write("etc/resolv.conf", "nameserver 127.0.0.1\n")
    container.write("etc/provider/users", "".join(f"{login}:{{PLAIN}}{PASSWORD}\n" for login in LOGINS))
    container.write("etc/provider/senders", "".join(f"{login} {login}\n" for login in LOGINS))
    container.write("etc/provider/boxes", "anna@example.com anna/\nsales@example.com sales/\n@example.net customer/\n")
    container.write("etc/postfix/main.cf", _MAIN)
    container.write("etc/postfix/master.cf", f"{SMTP}:587 inet n - n - - smtpd\n{SERVICES}")
    container.write("etc/provider/dovecot.conf", _DOVECOT[version].replace("ISSUER", ISSUER) + _DOVECOT_COMMON)
    container.write("etc/provider/oauth2.conf", _OAUTH2)
    container.write("srv/oauth_server.py", Path(oauth_server.__file__).read_text())
    for name, command, more in (
        ("provider-smtp", "/usr/sbin/postfix start-fg", "ExecStop=/usr/sbin/postfix stop\n"),
        ("provider-pop3", "/usr/sbin/dovecot -F -c /etc/provider/dovecot.conf", ""),
    ):
        container.write(f"etc/systemd/system/{name}.service", _UNIT.format(name=name, command=command, more=more))


def start_provider(container: Container) -> None:
    """Begin the provider's work, now and at each boot."""
    container.run(
        "update-ca-certificates\n"
        "systemctl mask --now postfix.service 'postfix@-.service' || true\n"
        "install -d -o nobody -g nogroup /srv/provider\n"
        "mkdir -p /var/lib/provider\n"
        "systemctl daemon-reload\n"
        "systemctl enable --now provider-smtp provider-pop3"
    )
    wait_for_provider(container)


def wait_for_provider(container: Container) -> None:
    """Wait until both servers answer."""
    for host, port in (("smtp.provider.example", 587), ("pop.provider.example", 995)):
        container.wait(f"exec 3<>/dev/tcp/{host}/{port}", what=f"the provider answers on port {port}")


def start_issuer(container: Container, secret: str = "") -> None:
    """Begin to issue tokens, anew: nobody is signed in. Needs a Python in the container."""
    container.run(
        "systemctl stop provider-issuer 2>/dev/null || true\n"
        f"systemd-run --quiet --collect --unit provider-issuer python3 /srv/oauth_server.py {ISSUER_PORT} {secret}"
    )
    container.wait(f"exec 3<>/dev/tcp/127.0.0.1/{ISSUER_PORT}", what="tokens are issued")


def empty_mailboxes(container: Container) -> None:
    """Remove all mail."""
    container.run("systemctl stop provider-pop3\nrm -rf /srv/provider/*\nsystemctl start provider-pop3")
    wait_for_provider(container)


def put_mail(container: Container, name: str, mail: str) -> None:
    """Put a mail into a mailbox."""
    container.write(f"srv/provider/{name}/new/{time.time_ns()}.M1.provider", mail)
    container.run(f"chown -R nobody:nogroup /srv/provider/{name}")


def stop_submission(container: Container) -> None:
    """Let nobody hand in mail any more, not even over a connection that is kept: not every host lets systemd end it."""
    container.run(
        "systemctl stop provider-smtp\n"
        "for one in /proc/[0-9]*; do\n"
        '  if [ "$(cat $one/comm 2>/dev/null || true)" = smtpd ]; then kill "${one#/proc/}" || true; fi\n'
        "done"
    )
    container.wait("! (exec 3<>/dev/tcp/smtp.provider.example/587)", what="the provider is away")


def start_submission(container: Container) -> None:
    """Take mail again."""
    container.run("systemctl start provider-smtp")
    wait_for_provider(container)


def mailbox(container: Container, name: str) -> list[EmailMessage]:
    """Give the mails that stand in a mailbox of the provider's, oldest first."""
    folder = container.path(f"srv/provider/{name}")
    paths = [path for sub in ("new", "cur") for path in (folder / sub).glob("*")]
    paths.sort(key=lambda path: path.stat().st_mtime_ns)
    return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]
