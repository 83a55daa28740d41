"""The programs that people submit mail with, as programs: swaks, curl, msmtp, smtplib, smtp-source."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.peers.machine import lack, require_program

_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}

# The arguments: port, CA file or "", login or "", sender, recipients. The password and the mail come by standard input.
_SMTPLIB = """
import smtplib, ssl, sys
port, ca_file, login, sender, *recipients = sys.argv[1:]
password, _, mail = sys.stdin.buffer.read().partition(b"\\n")
with smtplib.SMTP("127.0.0.1", int(port), timeout=30) as smtp:
    smtp.set_debuglevel(1)
    if ca_file:
        smtp.starttls(context=ssl.create_default_context(cafile=ca_file))
    if login:
        smtp.login(login, password.decode())
    smtp.ehlo_or_helo_if_needed()
    utf8 = ["SMTPUTF8"] if smtp.has_extn("smtputf8") and not "".join([sender, *recipients]).isascii() else []
    refused = smtp.sendmail(sender, recipients, mail, mail_options=["BODY=8BITMIME", *utf8])
    sys.exit(1 if refused else 0)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """Where to submit."""

    port: int
    ca_file: Path | None = None
    """STARTTLS is used with it, and the server's certificate is checked."""
    login: str | None = None
    password: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """What to submit."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """What a program said."""

    status: int
    """Its exit status."""
    transcript: str
    """All that it printed, the SMTP dialogue among it."""

    @property
    def queue_id(self) -> str | None:
        """The id that our relay told, if it took the mail."""
        found = re.search(r"250[ -]2\.0\.0 queued as (\w+)", self.transcript)
        return found[1] if found else None


Submit = Callable[[Server, Mail], Submission]


def submit_by_swaks(server: Server, mail: Mail) -> Submission:
    """Submit by swaks, the SMTP tester."""
    command = [require_program("swaks", package="swaks"), "--server", "127.0.0.1", "--port", str(server.port)]
    command += ["--helo", "swaks.example", "--from", mail.sender, "--to", ",".join(mail.recipients), "--data", "-"]
    if server.ca_file:
        command += ["--tls", "--tls-verify", "--tls-ca-path", str(server.ca_file)]
    if server.login:
        command += ["--auth", "PLAIN", "--auth-user", server.login, "--auth-password", server.password]
    # swaks puts a line end of its own before the final dot.
    submission = _run(command, mail.data.removesuffix(b"\r\n"))
    if "TLS not available" in submission.transcript:
        lack("needs TLS for swaks, from the package libnet-ssleay-perl")
    return submission


def submit_by_curl(server: Server, mail: Mail) -> Submission:
    """Submit by curl."""
    command = [require_program("curl", package="curl"), "--silent", "--show-error", "--verbose", "--upload-file", "-"]
    command += ["--url", f"smtp://127.0.0.1:{server.port}/curl.example", "--mail-from", mail.sender]
    command += [part for recipient in mail.recipients for part in ("--mail-rcpt", recipient)]
    if server.ca_file:
        command += ["--ssl-reqd", "--cacert", str(server.ca_file)]
    if server.login:
        command += ["--user", f"{server.login}:{server.password}", "--login-options", "AUTH=PLAIN"]
    return _run(command, mail.data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def submit_by_msmtp(server: Server, mail: Mail) -> Submission:
    """Submit by msmtp, the sendmail of many a server."""
    command = [require_program("msmtp", package="msmtp"), "--debug", "--host", "127.0.0.1", "--port", str(server.port)]
    command += ["--domain", "msmtp.example", "--from", mail.sender]
    if server.ca_file:
        command += ["--tls=on", "--tls-starttls=on", f"--tls-trust-file={server.ca_file}"]
    if server.login:
        command += ["--auth=plain", f"--user={server.login}", f"--passwordeval=echo '{server.password}'"]
    return _run([*command, "--", *mail.recipients], mail.data.replace(b"\r\n", b"\n"))


def submit_by_smtplib(server: Server, mail: Mail) -> Submission:
    """Submit by Python's smtplib, in a process of its own; the bytes go as they are."""
    command = [sys.executable, "-c", _SMTPLIB, str(server.port), str(server.ca_file or ""), server.login or ""]
    return _run([*command, mail.sender, *mail.recipients], server.password.encode() + b"\n" + mail.data)


PROGRAMS: Final[dict[str, Submit]] = {
    "swaks": submit_by_swaks,
    "curl": submit_by_curl,
    "msmtp": submit_by_msmtp,
    "smtplib": submit_by_smtplib,
}


def submit_many(
    port: int,
    *,
    messages: int,
    sessions: int = 20,
    length: int = 4096,
    sender: str = "sales@example.com",
    recipient: str = "customer@example.net",
    recipients: int = 1,
    kept: bool = False,
    timeout: float = 120,
) -> Submission:
    """Submit generated mails by Postfix's smtp-source, over parallel sessions; `length` is in octets.

    Each mail has so many recipients (a number before the address tells them apart), and a connection of its own
    unless they are `kept`. Its status is 0 only if the server took every one.
    """
    command = [require_program("smtp-source", package="postfix"), "-s", str(sessions), "-m", str(messages)]
    command += ["-l", str(length), "-f", sender, "-t", recipient, "-r", str(recipients), *(["-d"] if kept else [])]
    command.append(f"127.0.0.1:{port}")
    return _run(command, b"", timeout=timeout)


def _run(command: list[str], data: bytes, *, timeout: float = 45) -> Submission:
    done = subprocess.run(
        command,
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_ENVIRONMENT,
        check=False,
        timeout=timeout,
    )
    return Submission(status=done.returncode, transcript=done.stdout.decode("utf-8", "replace"))


def unnumbered(address: str) -> str:
    """Give an address without the number that the smtp-source of Postfix 3.10 puts behind its local part."""
    return re.sub(r"\d+@", "@", address)
