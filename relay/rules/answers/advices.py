"""What several rows advise alike; {account} is the account's name, as a shell wants it."""

from typing import Final

from relay.places import guide

GUIDE: Final = guide("microsoft")

BY_OAUTH_EN: Final = (
    'Let the account sign in: "relay account edit {account} --oauth microsoft --tenant TENANT --client-id ID"'
    f' ("{GUIDE}" says where both are), then'
    ' "relay account authorize {account}".'
)
BY_OAUTH_DE: Final = (
    "Stellen Sie das Konto um: „relay account edit {account} --oauth microsoft --tenant TENANT --client-id ID“"
    f" („{GUIDE}“ sagt, woher beide kommen), und melden Sie es dann mit"
    " „relay account authorize {account}“ an."
)
USED_UP_EN: Final = (
    "You need not do anything: the mail waits, and is tried again each hour. So that it does not come to that:"
    ' "relay account edit {account} --set smtp.recipients_per_day=NUMBER", with what the provider allows.'
)
USED_UP_DE: Final = (
    "Sie brauchen nichts zu tun: Die E-Mails warten, und jede Stunde wird es wieder versucht. Damit es nicht mehr so"
    " weit kommt: „relay account edit {account} --set smtp.recipients_per_day=ZAHL“ mit dem, was der Anbieter erlaubt."
)
