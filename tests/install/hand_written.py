"""Configurations as people have written them by hand, for what must go on with them."""

from typing import Final

SALES: Final = """
[[account]]
name = "sales"
address = "sales@example.com"
owner = "anna"
[account.smtp]
host = "smtp.provider.example"
username = "sales@example.com"
password_file = "/etc/relay/secrets/anna"
"""
BY_HAND: Final = """\
language = "en"                                  # as it was written before there was `relay init`
[server]
hostname = "relay.office.example"
postmaster = "anna"
[storage]
folder = "/var/lib/relay"
[[user]]
name = "anna"
address = "anna@example.com"
[[account]]
name = "anna"
address = "anna@example.com"
owner = "anna"
[account.smtp]
host = "smtp.provider.example"
username = "anna@example.com"
password_file = "/etc/relay/secrets/anna"
[account.pop3]
host = "pop.provider.example"
username = "anna@example.com"
password_file = "/etc/relay/secrets/anna"
leave_on_server = true
"""
