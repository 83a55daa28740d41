"""`relay certificate`: a certificate of the office's own, and how others come to trust it."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from relay.cli import Group
from relay.cli.choosing import Text
from relay.cli.configuration import config_option, enter, fail, json_option, require_own_hand
from relay.cli.output import print_json, say
from relay.places import name_page

if TYPE_CHECKING:
    from relay.certificates.store import Store
    from relay.settings import Settings

_DOVECOT: Final = (
    ("2.4 (Debian 13)", "ssl_server_cert_file = ", "ssl_server_key_file = "),
    ("2.3 (Debian 12)", "ssl_cert = <", "ssl_key = <"),
)
"""What names a certificate and its key to a version."""
_IMPORT: Final = """
How others come to trust it. Give them the file {root} (it is no secret), and let them compare the fingerprint.
  Windows       double-click it > Install Certificate > Local Machine > Place all certificates in the following
                store > Trusted Root Certification Authorities. Outlook trusts it from then on.
  macOS         double-click it; in Keychain Access open it > Trust > When using this certificate: Always Trust
  Thunderbird   Settings > Privacy & Security > Certificates > Manage Certificates > Authorities > Import >
                Trust this CA to identify websites
  iPhone, iPad  send it by mail, open it; Settings > General > VPN & Device Management > install it; then
                Settings > General > About > Certificate Trust Settings > switch it on
  Android       Settings > Security > Encryption & credentials > Install a certificate > CA certificate
  Scanners      their web page, often Security > Certificates > Import CA certificate; many ask for none
More: {page}"""


@click.group("certificate", cls=Group)
def command() -> None:
    """Make a certificate of the office's own, and show how others come to trust it."""


@command.command("make", short_help="Make a certificate for this machine.")
@config_option
@click.option("--name", "names", multiple=True, type=Text(), help="Another name or address of this machine.")
def make(config: str | None, names: tuple[str, ...]) -> None:
    """Make an authority of the office's own, and by it a certificate for this machine's names and addresses.

    The authority is good for these, what is below them and what is private, and for nothing else: name a domain to have
    all below it. One that is there already signs on, so that nobody has to import another one. The running service
    makes the certificate anew 30 days before its end.
    """
    import datetime as dt

    from relay.first_steps.machine import own_names

    settings, store = _open(config)
    wanted = list(dict.fromkeys((settings.hostname, *names)))
    found = [name for name in dict.fromkeys(own_names(settings)) if name not in wanted]
    try:
        left_out = store.make(wanted, f"Mail relay {settings.hostname}", dt.datetime.now(dt.UTC), others=found)
    except OSError as error:
        fail(f"{error.filename or store.folder}: {error.strerror}")
    say(f"{store.server}: a certificate for {', '.join(name for name in (*wanted, *found) if name not in left_out)}")
    if left_out:
        say(f"Without {', '.join(left_out)}: the authority was made before this machine had them. For whoever needs")
        say("them, name them by --name; it then says what to do.")
    for line in _say_use(settings, store):
        say(line)


@command.command("show", short_help="Show the authority's certificate, and how to import it.")
@config_option
@json_option
@click.option("--pem", is_flag=True, help="Print the authority's certificate itself, to be stored where it is needed.")
def show(config: str | None, *, as_json: bool, pem: bool) -> None:
    """Show for which names the certificate is, until when, and how others come to trust who has signed it."""
    from relay.certificates.authority import fingerprint

    settings, store = _open(config)
    found = store.read()
    try:
        store.complete()
        root = store.read_root()
    except OSError:
        root = b""
    if found is None or not root:
        fail(f"There is no certificate in {store.folder} yet: relay certificate make")
    if pem:
        sys.stdout.write(root.decode("ascii"))
        return
    if as_json:
        print_json(
            {
                "certificate": str(store.server),
                "authority": str(store.root),
                "fingerprint": fingerprint(root),
                "names": list(found.names),
                "until": found.until.isoformat(),
            }
        )
        return
    say(f"Certificate:  {store.server}")
    say(f"For:          {', '.join(found.names)}")
    say(f"Until:        {found.until:%Y-%m-%d}; the running service makes it anew 30 days before")
    say(f"Signed by:    {store.root}")
    say(f"Fingerprint:  {fingerprint(root)} (SHA-256)")
    for line in (
        *_say_use(settings, store),
        *_IMPORT.format(root=store.root, page=name_page("certificates.md")).split("\n"),
    ):
        say(line)


def _open(config: str | None) -> "tuple[Settings, Store]":
    """Read the configuration, and become the owner of the storage folder, whose service makes them anew.

    What it names may be missing: it may be the certificate that is to be made.
    """
    from relay.admin.entering import import_to_certify
    from relay.certificates.store import Store
    from relay.settings import find_configuration
    from relay.settings.document import read_document
    from relay.settings.load import read_places

    path = find_configuration(config)
    read_document(path)  # names what is wrong with a file that is none
    settings = read_places(path.read_bytes(), path)
    require_own_hand(config, settings)
    if not settings.folder.is_dir():
        fail(f"{settings.folder}: there is no such folder yet: it is made with the package, or by its owner")
    import_to_certify()
    enter(settings)
    return settings, Store(settings.folder)


def _say_use(settings: "Settings", store: "Store") -> Iterator[str]:
    """Say what makes the listeners use it, unless they do, and what makes Dovecot use it."""
    if not any(listener.certificate == store.server for listener in settings.listeners):
        yield f"For a [[listener]] in {settings.path}:"
        yield '    tls = "starttls"'
        yield f'    certificate = "{store.server}"'
        yield f'    private_key = "{store.server}"'
        yield "then: relay check && relay reload"
    for versions, certificate, key in _DOVECOT:
        yield f"For Dovecot {versions}:"
        yield f"    {certificate}{store.server}"
        yield f"    {key}{store.server}"
