"""The mails that the demonstration submits, and what must become of each."""

from dataclasses import dataclass, field
from email.message import EmailMessage

ARCHIVE = "central@example.com"
CUSTOMER = "customer@elsewhere.example"

CONFIGURATION = """\
[server]
hostname = "relay.office.example"
postmaster = "anna"

[storage]
folder = "{folder}"

[[listener]]
host = "127.0.0.1"
port = 0

[[user]]
name = "anna"
address = "anna@example.com"

[[user]]
name = "bert"
address = "bert@example.com"
password_hash = "{password_hash}"

[[device]]
name = "Scanner 2nd floor"
networks = ["127.0.0.2/32"]
user = "anna"

[[account]]
name = "sales"
address = "sales@example.com"
display_name = "Example Sales"
owner = "anna"
[account.smtp]
{smtp}
username = "sales@example.com"
[account.pop3]
{pop3}
username = "sales@example.com"
interval = "1 h"

[[account]]
name = "bert"
address = "bert@example.com"
owner = "bert"
[account.smtp]
{smtp}
username = "bert@example.com"

[[account]]
name = "old shop"
address = "shop@example.com"
owner = "anna"
excluded = true
[account.smtp]
{smtp}
username = "shop@example.com"

[archive]
bcc = ["{archive}"]
strip_tiff = true

[log]
file = "relay.log"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One mail, and what is expected of it."""

    title: str
    headers: dict[str, str] = field(default_factory=dict)
    login: str | None = None
    source: str = "127.0.0.1"
    tiff: bytes | None = None
    rule: str | None = None
    """None: it must be refused."""
    account: str = ""
    from_header: str = ""
    """What the provider must read as From."""


ANSWER = (
    b"Return-Path: <customer@elsewhere.example>\r\n"
    b"From: customer@elsewhere.example\r\nTo: sales@example.com\r\nSubject: Re: Our offer\r\n\r\nWe take it.\r\n"
)
"""What waits in the provider's mailbox."""

TIFF = b"II*\0" + bytes(range(256)) * 40

SCENES = (
    Scene(
        title="Rule 1: the From address is an account's address",
        headers={"From": "Example Sales <sales@example.com>", "Subject": "Our offer"},
        rule="1a",
        account="sales",
        from_header="Example Sales <sales@example.com>",
    ),
    Scene(
        title="Rule 2: no From at all, so the user's profile address is the sender",
        headers={"Subject": "From the CRM"},
        login="bert",
        rule="2a",
        account="bert",
        from_header="bert@example.com",
    ),
    Scene(
        title="Rule 3: the scanner's From is nobody's account, so its user's first account sends",
        headers={"From": "scanner@office.example", "Subject": "Scan 0815"},
        source="127.0.0.2",
        rule="3",
        account="sales",
        from_header="Example Sales <sales@example.com>",
    ),
    Scene(
        title="An excluded account: refused, and not sent from another one",
        headers={"From": "shop@example.com", "Subject": "Old shop"},
        account="old shop",
    ),
    Scene(
        title="A TIFF: the customer gets it, the archive gets a note in its place",
        headers={"From": "sales@example.com", "Subject": "Scanned contract"},
        tiff=TIFF,
        rule="1a",
        account="sales",
        from_header="sales@example.com",
    ),
)


def compose(scene: Scene) -> bytes:
    """Write a scene's mail as a client would submit it."""
    message = EmailMessage()
    for name, value in scene.headers.items():
        message[name] = value
    message["To"] = CUSTOMER
    message.set_content("Good morning,\n\nthis is a mail of the demonstration.\n")
    if scene.tiff is not None:
        message.add_attachment(scene.tiff, maintype="image", subtype="tiff", filename="contract.tif")
    return message.as_bytes()
