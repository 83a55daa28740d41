"""A real provider that takes tokens alone: Dovecot asks the server that has issued them, and Postfix asks Dovecot."""

import contextlib
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from tests.peers.dovecot import Dovecot
from tests.peers.oauth_server import USER, OAuthServer, end_of
from tests.peers.postfix import Postfix
from tests.peers.relay_process import ROOT, RelayProcess

_ASKS = """
auth_mechanisms = plain login {mechanisms}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {file}
}}
service auth {{
  unix_listener {socket} {{
    mode = 0666
  }}
}}
"""
_OAUTH2 = """
introspection_mode = auth
introspection_url = {url}/introspect
username_attribute = username
active_attribute = active
active_value = true
"""


@contextlib.contextmanager
def provider(
    server: OAuthServer, *, mechanisms: str = "xoauth2 oauthbearer", **settings: str
) -> Generator[tuple[Postfix, Dovecot]]:
    """Run a provider that knows nothing but the tokens of a server; `settings` of Postfix."""
    with tempfile.TemporaryDirectory(prefix="oauth-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "oauth2.conf").write_text(_OAUTH2.format(url=server.url))
        more = _ASKS.format(file=folder / "oauth2.conf", socket=folder / "auth", mechanisms=mechanisms)
        sasl = {
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": str(folder / "auth"),
            "smtpd_sasl_security_options": "noanonymous",
            **settings,
        }
        with Dovecot(more=more) as dovecot, Postfix(logins={"nobody": "x"}, settings=sasl) as postfix:
            yield postfix, dovecot


def account_at(postfix: Postfix, dovecot: Dovecot, oauth: dict[str, Any]) -> dict[str, Any]:
    """Give the table of an account there that logs in by a token."""
    smtp = {"host": "127.0.0.1", "port": postfix.port, "security": "starttls", "ca_file": str(postfix.ca_file)}
    pop3 = {"host": "127.0.0.1", "port": dovecot.pop3_port, "security": "none", "interval": "1 s"}
    return {"name": "anna", "address": USER, "owner": "anna", "oauth": oauth, "smtp": smtp, "pop3": pop3}


def authorize(relay: RelayProcess, server: OAuthServer, **how: Any) -> str:  # noqa: ANN401 - as `sign_in`
    """Run `relay account authorize` for that account."""
    return sign_in(server, "account", "authorize", "anna", "-c", str(relay.config), **how)


def sign_in(
    server: OAuthServer, *words: str, here: bool = False, look: Callable[[int], None] = lambda _pid: None
) -> str:
    """Run a command of the relay that signs in, to its good end, and return what it says.

    A browser is on another computer, and the address that it ends on is pasted; or `here`, and ends at the command,
    whose page is returned as well. `look` is given the command's process just before.
    """
    command = [sys.executable, "-u", "-m", "relay", *words]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith(f"{server.url}/authorize"):
                look(process.pid)
                if here:
                    with urllib.request.urlopen(line.strip(), timeout=30) as page:
                        lines.append(page.read().decode())
                else:
                    process.stdin.write(f"{end_of(line.strip())}\n")
                    process.stdin.flush()
        assert process.wait(30) == 0, lines
    return "".join(lines)
