"""A real Dovecot of our own: POP3 (plain, STLS, TLS) on mailboxes that a test fills, IMAP on Maildirs that it names."""

import contextlib
import dataclasses
import imaplib
import os
import pwd
import ssl
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Self

import trustme

from tests.peers.machine import end_group, free_port, require_program, require_root, wait_for_port

PASSWORD = "correct-horse"

_CONFIG = """
{dialect}
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
listen = 127.0.0.1
first_valid_uid = 0
mail_uid = {uid}
mail_gid = {gid}
mail_privileged_group =
mail_fsync = never
auth_mechanisms = plain login
auth_failure_delay = 0
ssl = yes
pop3_no_flag_updates = yes
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
{more}
"""

_DIALECT_2_3 = """
protocols = pop3 imap
disable_plaintext_auth = no
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.pem
mail_location = maildir:{root}/%u:INDEX={folder}/index/%u:CONTROL={folder}/control/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home/%u
}}
"""

# It names its version first.
_DIALECT_2_4 = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols {{
  pop3 = yes
  imap = yes
}}
auth_allow_cleartext = yes
ssl_server_cert_file = {folder}/server.pem
ssl_server_key_file = {folder}/server.pem
mail_driver = maildir
mail_path = {root}/%{{user}}
mail_index_path = {folder}/index/%{{user}}
mail_control_path = {folder}/control/%{{user}}
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {folder}/home/%{{user}}
  }}
}}
"""


@dataclasses.dataclass(kw_only=True)
class Dovecot:
    """A context manager that runs it; every user exists, with the password PASSWORD."""

    more: str = ""
    """More lines of the configuration."""
    certificate: bytes | None = None
    """A key and a certificate with its chain, in place of its own."""

    def __enter__(self) -> Self:
        require_root("Dovecot's master starts as root")
        program = require_program("dovecot", package="dovecot-pop3d and dovecot-imapd")
        self._folder = tempfile.TemporaryDirectory(prefix="dovecot-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.folder.chmod(0o755)
        self.root = self.folder / "mail"
        self.pop3_port, self.pop3s_port, self.imap_port = free_port(), free_port(), free_port()
        try:
            self._set_up(_version_of(program))
            self._start(program)
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        end_group(self._process, at_once=True)
        self._folder.cleanup()

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
        """All that Dovecot logged so far."""
        path = self.folder / "dovecot.log"
        return path.read_text() if path.exists() else ""

    def fill(self, user: str, mails: list[bytes]) -> None:
        """Put mails (line ends LF) into a user's mailbox, as a delivery agent does."""
        maildir = self.root / user
        for name in ("tmp", "new", "cur"):
            (maildir / name).mkdir(parents=True, exist_ok=True)
        count = len(self.mails(user))
        for n, mail in enumerate(mails, count + 1):
            (maildir / "tmp" / "x").write_bytes(mail)
            (maildir / "tmp" / "x").rename(maildir / "new" / f"1700000000.M{n:06d}.test")
        self._hand_over(self.root)

    def mails(self, user: str) -> list[bytes]:
        """Give the mails that stand in a user's mailbox."""
        maildir = self.root / user
        return [path.read_bytes() for folder in ("new", "cur") for path in sorted((maildir / folder).glob("*"))]

    @contextlib.contextmanager
    def imap(self, user: str) -> Generator[imaplib.IMAP4]:
        """Log a user in over IMAP."""
        self._hand_over(self.root)
        with imaplib.IMAP4("127.0.0.1", self.imap_port) as session:
            session.login(user, PASSWORD)
            yield session

    def read_over_imap(self, user: str) -> list[bytes]:
        """Give a user's mails as an IMAP client sees them, line ends CRLF."""
        with self.imap(user) as session:
            status, _ = session.select()
            assert status == "OK"
            _, found = session.search(None, "ALL")
            mails = [session.fetch(n, "(BODY.PEEK[])")[1][0] for n in found[0].split()]
        return [mail[1] for mail in mails if isinstance(mail, tuple)]

    def _hand_over(self, folder: Path) -> None:
        """Make the mailboxes' owner the one who reads them: Dovecot gives nobody the rights of root."""
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def _set_up(self, version: tuple[int, ...]) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        server = authority.issue_cert("127.0.0.1", "localhost")
        pem = self.certificate or server.private_key_and_cert_chain_pem.bytes()
        (self.folder / "server.pem").write_bytes(pem)
        self._owner = pwd.getpwnam("nobody")
        (self.folder / "run").mkdir()
        for name in ("mail", "index", "control", "home"):
            (self.folder / name).mkdir()
            self._hand_over(self.folder / name)
        values = {
            "folder": self.folder,
            "uid": self._owner.pw_uid,
            "gid": self._owner.pw_gid,
            "root": self.root,
            "password": PASSWORD,
            "pop3": self.pop3_port,
            "pop3s": self.pop3s_port,
            "imap": self.imap_port,
            "more": self.more,
        }
        dialect = (_DIALECT_2_4 if version >= (2, 4) else _DIALECT_2_3).format_map(values).strip()
        (self.folder / "dovecot.conf").write_text(_CONFIG.format(dialect=dialect, **values).lstrip())

    def _start(self, program: str) -> None:
        errors = self.folder / "errors"
        with errors.open("wb") as stream:
            self._process = subprocess.Popen(
                [program, "-F", "-c", str(self.folder / "dovecot.conf")],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        try:
            for port in (self.pop3_port, self.imap_port):
                wait_for_port(port, self._process, errors=errors)
        except BaseException:
            end_group(self._process, at_once=True)
            raise


def _version_of(program: str) -> tuple[int, ...]:
    """Give the version of an installed Dovecot: its configuration changed with 2.4."""
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in told.split()[0].split(".")[:2])
