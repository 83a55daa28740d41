"""A private Postfix: as a provider that wants STARTTLS and AUTH, or as a smarthost to measure ourselves by.

It runs in a folder of its own, on a free loopback port, and needs root, as Postfix' master does.
"""

import dataclasses
import os
import pwd
import re
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import trustme

from tests.peers.machine import end_group, free_port, require_program, require_root, wait_for_port, wait_until

_DAEMONS = ("/usr/lib/postfix/sbin", "/usr/libexec/postfix", "/usr/lib/postfix")
_QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")
_REALM = "provider.example"

# service, type, flags, wake-up, process limit, command (none of them in a chroot); without smtpd
SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsproxy unix - - n - 0 tlsproxy
postlog unix-dgram n - n - 1 postlogd
"""


@dataclasses.dataclass(kw_only=True)
class Postfix:
    """A running Postfix; a context manager.

    With `logins` it is a provider: STARTTLS and AUTH are wanted, and each mail ends in a Maildir.
    With `relayhost`, the port of another server, everything from this machine goes on to that; with both, whoever
    logs in over TLS may send through it.
    """

    logins: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Login -> password."""
    senders: Mapping[str, str] | None = None
    """Envelope sender -> the login that owns it; any other sender is refused, as providers do. None: any sender."""
    relayhost: int | None = None
    always_bcc: str | None = None
    rewrite_sender: str | None = None
    """The address that every sender becomes, in envelope and header."""
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """More parameters of its main.cf; they override the others."""
    _mails: dict[str, bytes] = dataclasses.field(init=False, default_factory=dict, repr=False)

    def __enter__(self) -> Self:
        require_root("Postfix' master starts as root")
        require_program("postfix", package="postfix")
        self.port = free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="postfix-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        try:
            self._set_up()
            self._start()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        end_group(self._process, at_once=True)  # nothing outlives its folder, and its farewell takes two seconds
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The process id of its master, whose children are all the others."""
        return self._process.pid

    @property
    def ca_file(self) -> Path:
        """The certificate that clients are to trust."""
        return self.folder / "ca.pem"

    @property
    def client_context(self) -> ssl.SSLContext:
        """A TLS context that trusts this server."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    @property
    def log(self) -> str:
        """All that Postfix logged so far."""
        path = self.folder / "log" / "mail.log"
        return path.read_text() if path.exists() else ""

    def inbox(self, address: str) -> list[bytes]:
        """Give the mails of one recipient, oldest first, line ends LF, with the fields that Postfix puts on top."""
        paths = sorted((self.folder / "mail" / "all" / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        self._mails |= {path.name: path.read_bytes() for path in paths if path.name not in self._mails}
        field = re.compile(rb"(?im)^Delivered-To: " + re.escape(address.encode()) + rb"$")
        return [mail for mail in self._mails.values() if field.search(mail.partition(b"\n\n")[0])]

    def wait_for(self, address: str, count: int = 1, *, timeout: float = 30) -> list[bytes]:
        """Wait until a recipient has so many mails, and give them. Raises TimeoutError with the end of the log."""
        try:
            wait_until(lambda: len(self.inbox(address)) >= count, what=f"{count} mails for {address}", timeout=timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the log ends: {self.log[-2000:]}") from error
        return self.inbox(address)

    def _set_up(self) -> None:
        self.folder.chmod(0o755)
        owner = pwd.getpwnam("postfix")
        for name in ("config/sasl", "log", "queue", "data", "mail"):
            (self.folder / name).mkdir(parents=True)
        for name in (*_QUEUES, "pid", "public", "maildrop"):
            (self.folder / "queue" / name).mkdir(mode=0o700)
        for name in _QUEUES:
            os.chown(self.folder / "queue" / name, owner.pw_uid, -1)
        for name in ("public", "maildrop"):
            shutil.chown(self.folder / "queue" / name, "postfix", "postdrop")
            (self.folder / "queue" / name).chmod(0o710 if name == "public" else 0o1730)
        for name in ("data", "log"):
            os.chown(self.folder / name, owner.pw_uid, owner.pw_gid)
        nobody = pwd.getpwnam("nobody")
        os.chown(self.folder / "mail", nobody.pw_uid, nobody.pw_gid)
        settings = self._base(nobody) | (self._provider() if self.logins else {}) | self._relay() | dict(self.settings)
        lines = [f"{key} = {value}\n" for key, value in settings.items()]
        main = self.folder / "config" / "main.cf"
        main.write_text("".join(lines))
        os.utime(main, (0, 0))  # Postfix waits for two seconds before it trusts a file that is new
        (self.folder / "config" / "master.cf").write_text(f"127.0.0.1:{self.port} inet n - n - - smtpd\n{SERVICES}")

    def _base(self, owner: pwd.struct_passwd) -> dict[str, str]:
        return {
            "compatibility_level": "3.6",
            "queue_directory": str(self.folder / "queue"),
            "data_directory": str(self.folder / "data"),
            "maillog_file": str(self.folder / "log" / "mail.log"),
            "maillog_file_prefixes": str(self.folder),
            "myhostname": f"mx.{_REALM}",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "smtpd_error_sleep_time": "0",
            "smtp_dns_support_level": "disabled",
            "smtpd_peername_lookup": "no",
            "alias_maps": "",
            "local_recipient_maps": "",
            "local_transport": "error:no local mail",
            "message_size_limit": str(64 * 1024 * 1024),
            "virtual_mailbox_limit": "0",
            "virtual_mailbox_domains": "" if self.relayhost else "static:all",
            "virtual_mailbox_base": str(self.folder / "mail"),
            "virtual_mailbox_maps": "static:all/",
            "virtual_uid_maps": f"static:{owner.pw_uid}",
            "virtual_gid_maps": f"static:{owner.pw_gid}",
        }

    def _provider(self) -> dict[str, str]:
        self._write_certificate()
        self._write_passwords()
        settings = {
            "smtpd_tls_security_level": "encrypt",
            "smtpd_tls_chain_files": str(self.folder / "server.pem"),
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "cyrus",
            "smtpd_sasl_path": "smtpd",
            "smtpd_sasl_local_domain": _REALM,
            "cyrus_sasl_config_path": str(self.folder / "config" / "sasl"),  # Debian has this one built in
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject",
        }
        if self.senders is not None:
            owned = "".join(f"{sender} {login}\n" for sender, login in self.senders.items())
            (self.folder / "config" / "senders").write_text(owned)
            settings["smtpd_sender_login_maps"] = f"texthash:{self.folder}/config/senders"
            settings["smtpd_sender_restrictions"] = "reject_sender_login_mismatch, reject_non_fqdn_sender"
        return settings

    def _relay(self) -> dict[str, str]:
        settings = {}
        if self.relayhost:
            settings["relayhost"] = f"[127.0.0.1]:{self.relayhost}"
        if self.always_bcc:
            settings["always_bcc"] = self.always_bcc
        if self.rewrite_sender:
            settings["sender_canonical_maps"] = f"static:{self.rewrite_sender}"
        return settings

    def _write_certificate(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        server = authority.issue_cert("127.0.0.1", "localhost")
        server.private_key_and_cert_chain_pem.write_to_path(self.folder / "server.pem")

    def _write_passwords(self) -> None:
        program = require_program("saslpasswd2", package="sasl2-bin")
        database = self.folder / "config" / "sasl" / "sasldb2"
        for login, password in self.logins.items():
            name, _, realm = login.partition("@")
            command = [program, "-p", "-c", "-f", str(database), "-u", realm or _REALM, name]
            subprocess.run(command, input=password.encode(), check=True, capture_output=True, timeout=20)
        shutil.chown(database, "postfix")
        database.with_name("smtpd.conf").write_text(
            f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: {database}\n",
        )

    def _start(self) -> None:
        master = next((path for folder in _DAEMONS if (path := Path(folder, "master")).exists()), None)
        assert master is not None, "Postfix is installed, but its master is not where Debian or Fedora have it"
        errors = self.folder / "errors"
        config = str(self.folder / "config")
        with errors.open("wb") as stream:
            self._process = subprocess.Popen(
                [master, "-d", "-c", config],
                env={"PATH": os.defpath, "MAIL_CONFIG": config, "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        try:
            wait_for_port(self.port, self._process, errors=errors)
        except BaseException:
            end_group(self._process, at_once=True)
            raise
