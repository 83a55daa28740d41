"""Writes docs/providers/others.md: every provider, as its file says it.

python -m tests.presets.provider_table
"""

from collections.abc import Iterator
from pathlib import Path

from relay.presets.preset import Endpoint, Login, Preset, all_presets

DOCUMENT = Path(__file__).parents[2] / "docs" / "providers" / "others.md"

_INTRODUCTION = """\
# Providers

`preset = "NAME"` in an `[[account]]` fills in what you do not write. For Microsoft 365 and Google there are pages of their own: [Microsoft 365](microsoft365.md), [Google](google.md). For all others:

1. Find your provider below. Do first, on the provider's web page, what it says there under "Switch on".
2. `sudo relay account add sales --address sales@example.com --owner anna --collect` looks for the provider of the address, says what it has found, and asks for the password that is named below. Leave `--collect` away where nothing is to be collected; `--owner` names the user who gets the mail. Where the provider is not found, add `--preset ionos`, with the name from below; where the table says "its own", also `--smtp-host HOST --pop3-host HOST`. (For the very first account, `sudo relay init` asks for the same.)
3. `sudo relay account test sales` logs in and says what the provider answers.

In `/etc/relay/relay.toml` stands from then on:

    [[account]]
    name = "sales"
    address = "sales@example.com"
    preset = "ionos"
    owner = "anna"
    [account.smtp]
    password_file = "/etc/relay/secrets/sales"
    [account.pop3]
    leave_on_server = "14 days"
    password_file = "/etc/relay/secrets/sales"

What stands here was read in the sources named, at the day that is given, and **has not been tried with a real account at the provider** unless a row says so. If yours is wrong, the keys that you write hold, and [a row is easily mended](../contributing/add-a-provider.md).

"""  # noqa: E501 - the page's own lines


def write_document() -> str:
    """Write the whole page."""
    return _INTRODUCTION + "\n".join(line for preset in all_presets() for line in _section(preset))


def _section(preset: Preset) -> Iterator[str]:
    yield f"## {preset.title}: `{preset.name}`\n"
    yield "| | host | port | user name | preset |\n| --- | --- | --- | --- | --- |"
    for kind, server in preset.servers.items():
        yield _row(kind, server)
    yield ""
    said = {
        "Password": preset.password,
        "Switch on": preset.switch_on,
        "Host": preset.find_host,
        "Limits": preset.limits,
    }
    for what, words in said.items():
        if words is not None:
            yield f"- {what}: {words.en}.\n  *{words.de}.*"
    if preset.oauth is not None:
        yield f"- Sign-in (`[account.oauth]`): {preset.oauth.provider}, by {', '.join(preset.oauth.flows)}."
    if preset.files_sent is not None:
        yield f"- Sent mail is {'' if preset.files_sent else 'not '}put into the Sent folder by the provider itself."
    tried = f"tried {preset.tried}" if preset.tried else "not tried with a real account"
    yield f"- Read {preset.checked}, {tried}: {'; '.join(preset.pages)}.\n"


def _row(kind: str, server: Endpoint) -> str:
    ports = " or ".join(f"{port}" for port in server.ports)
    login = "the address" if server.login is Login.ADDRESS else "what stands before the @"
    settings = ", ".join(f"`{key} = {value!r}`".replace("'", '"') for key, value in server.settings.items())
    hosts = " or ".join(server.hosts) or "its own"
    return f"| {kind.upper()} | {hosts} | {ports} | {login} | {settings} |"


if __name__ == "__main__":
    DOCUMENT.write_text(write_document(), encoding="utf-8")
