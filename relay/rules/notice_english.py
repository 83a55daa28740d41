"""Every word of a notice in English, for readers who know nothing of mail servers."""

from relay.rules.answers.row import Advice
from relay.rules.notice_words import Alert, AlertText, Hint, Others, Report, ReportText, Texts

ENGLISH = Texts(
    sender_name="Mail service",
    no_subject="(no subject)",
    date="%Y-%m-%d, %H:%M",
    subject_label="Subject",
    sent_label="Sent",
    cause_label="Reason",
    reply_label="The e-mail provider's reply",
    problem_label="Technical cause",
    action_label="What to do",
    again="again",
    again_to_one="again only to this address",
    again_to_several="again only to these addresses",
    not_yours="Your e-mail is not the cause, and you have done nothing wrong. The person who looks after the mail"
    " service has been told. Send the e-mail {again} as soon as the fault is mended.",
    not_yours_yet="Your e-mail is not the cause. The person who looks after the mail service has been told.",
    then_again="Then send the e-mail {again}.",
    others_have_it="The other recipients do not need the e-mail again.",
    gave_up="The mail service tried several times and has now given up.",
    doubt="An earlier attempt broke off before the provider confirmed it: perhaps the e-mail arrived all the same. Ask"
    " before you send it again.",
    whole_attached="The e-mail is attached to this notice.",
    header_attached="The header of the e-mail is attached.",
    account_label="Account",
    queue_id_label="Reference",
    closing="This notice was written automatically by the mail service on {hostname}.",
    for_another="For {reader}: {subject}",
    advice={
        Advice.UNKNOWN_ADDRESS: Hint(
            cause="The recipient's mail system does not know this address.",
            action="Check the spelling of the address and send the e-mail {again}. If it is right, ask the recipient in"
            " another way for the new address.",
        ),
        Advice.UNKNOWN_DOMAIN: Hint(
            cause="The part of the address after the @ was not found, or takes no e-mail.",
            action="Check the spelling of this part and send the e-mail {again}.",
        ),
        Advice.BAD_ADDRESS: Hint(
            cause="Your e-mail provider says that the address is not valid.",
            action="Check the address for typing errors, spaces and accents, and send the e-mail {again}.",
        ),
        Advice.MAILBOX_FULL: Hint(
            cause="The recipient's mailbox is full.",
            action="Tell the recipient in another way, and send the e-mail {again} when there is room.",
        ),
        Advice.MAILBOX_CLOSED: Hint(
            cause="The recipient's mailbox takes no e-mail at present.",
            action="Ask the recipient in another way whether the mailbox is still in use.",
        ),
        Advice.TOO_LARGE: Hint(
            cause="The e-mail is too large.",
            action="Make the attachments smaller, spread them over several e-mails, or send a link in place of the"
            " files.",
        ),
        Advice.SPAM: Hint(
            cause="The e-mail was taken for unwanted advertising (spam).",
            action="Change the subject and the text, leave out links and pictures, and send it {again}. If that does"
            " not help, ask the recipient to allow your address.",
        ),
        Advice.ATTACHMENT: Hint(
            cause="An attachment or other content of the e-mail is regarded as dangerous, or is not allowed.",
            action="Send the file in another format, for example as PDF, or send a link to it. Have your computer"
            " checked for viruses, even if you think that the attachment is harmless.",
        ),
        Advice.BLOCKED: Hint(
            cause="At present the recipient takes no e-mail from the e-mail provider that you send through, since it"
            " is on a block list.",
            action="Your e-mail is not the cause. Send it {again} later, and pass this notice on to the person who"
            " looks after the mail service.",
        ),
        Advice.UNPROVEN_SENDER: Hint(
            cause="The recipient could not verify that the e-mail really comes from the sender's address.",
            action="Pass this notice on to the person who looks after the mail service: for the part of the sender's"
            " address after the @ it must be recorded that the provider may send in its name (SPF, DKIM, DMARC).",
        ),
        Advice.POLICY: Hint(
            cause="The e-mail was refused because of a rule of your e-mail provider or the recipient.",
            action="The provider's reply usually names the reason. Ask the recipient in another way to allow your"
            " address.",
        ),
        Advice.AUTHENTICATION: Hint(
            cause="Your e-mail provider did not accept the login of the mail service.",
            action="Your e-mail is not the cause. Pass this notice on to the person who looks after the mail service,"
            " and send the e-mail {again} afterwards.",
        ),
        Advice.SENDER_REFUSED: Hint(
            cause="Your e-mail provider does not allow this sender address for the account that was used.",
            action="Pass this notice on to the person who looks after the mail service: the account's address and its"
            " login must belong together. Send the e-mail {again} afterwards.",
        ),
        Advice.RELAY_DENIED: Hint(
            cause="Your e-mail provider does not pass e-mail on to this recipient.",
            action="Pass this notice on to the person who looks after the mail service: probably the account has no"
            " login, or the wrong server is set.",
        ),
        Advice.RATE: Hint(
            cause="More e-mails were sent in a short time than your e-mail provider or the recipient allows.",
            action="Wait until tomorrow, and send the e-mail {again}.",
        ),
        Advice.RECIPIENTS: Hint(
            cause="The e-mail has more recipients than your e-mail provider allows at once.",
            action="Spread the recipients over several e-mails.",
        ),
        Advice.NO_UTF8: Hint(
            cause="The address contains accents or other special characters that your e-mail provider cannot handle.",
            action="Ask the recipient for an address without special characters.",
        ),
        Advice.CONTENT: Hint(
            cause="The recipient cannot take the e-mail in this form.",
            action="Send it {again}, as plain text, or with attachments in a common format, for example PDF.",
        ),
        Advice.LOOP: Hint(
            cause="The e-mail was forwarded in a circle.",
            action="Ask the recipient to check the forwarding of the mailbox.",
        ),
        Advice.UNREACHABLE: Hint(
            cause="No connection to your e-mail provider's or the recipient's server was possible, or it broke off.",
            action="Send an e-mail to somebody else, and ask whether it arrives. If it does, send this one {again}; if"
            " not, pass this notice on to the person who looks after the mail service.",
        ),
        Advice.EXPIRED: Hint(
            cause="Your e-mail provider or the recipient put the e-mail off each time.",
            action="Send the e-mail {again}. If it is urgent, choose another way.",
        ),
        Advice.OTHER: Hint(
            cause="Your e-mail provider refused the e-mail.",
            action="The provider's reply usually names the reason. If it does not help you, show this notice to the"
            " person who looks after the mail service.",
        ),
    },
    cannot_log_in=AlertText(
        subject="Account {account} cannot log in",
        what='The account "{account}" ({address}) has nothing to log in with at its provider. Nothing is sent through'
        " this account for now. No e-mail is lost: all of them wait, and meanwhile no time limit runs out.",
        action='"relay account test {command}" shows what is missing.',
        mended='"relay account resume {command}" then tries it at once.',
    ),
    alerts={
        Alert.ACCOUNT_PAUSED: AlertText(
            subject="Login refused: account {account}",
            what='The e-mail provider refused the login of the account "{account}" ({address}). Nothing is sent'
            " through this account for now. No e-mail is lost: all of them wait, and meanwhile no time limit runs out.",
            action="{login} If you changed something at the provider instead, it goes on by itself after some time,"
            ' and at once with the command "relay account resume {command}".',
            mended='"relay account resume {command}" then tries it at once.',
        ),
        Alert.SENDER_REFUSED: AlertText(
            subject="Sender refused: account {account}",
            what='The e-mail provider does not allow the account "{account}" to send as {address}. The e-mail'
            " concerned was not delivered; the person who wrote it has been told. Other e-mails through this account"
            " will fail in the same way.",
            action="Check with the provider whether {address} belongs to this account and may be used for sending, and"
            " in the file relay.toml whether the account's address and login belong together.",
        ),
        Alert.SETTING_NEEDED: AlertText(
            subject="E-mails refused for want of a setting: account {account}",
            what='The e-mail provider takes no e-mails, or not all of them, from the account "{account}" ({address})'
            " until something is changed. The e-mail in question was not delivered; who wrote it has been told."
            " More e-mails will fare the same.",
            action="Do what the provider's reply asks for.",
            mended='"relay account test {command}" shows whether it works then.',
        ),
        Alert.ACCOUNT_GONE: AlertText(
            subject="E-mails stopped: account {account}",
            what='The account "{account}" is no longer in the file relay.toml, or is excluded. {count} e-mails that'
            " were to be sent through it are stopped.",
            what_one='The account "{account}" is no longer in the file relay.toml, or is excluded. An e-mail that was'
            " to be sent through it is stopped.",
            action='"relay queue list" shows the e-mails. Give them another account with'
            ' "relay queue move ID --account NAME", or bring this one back; "relay queue release ID" then sends them.'
            ' "relay queue delete ID" deletes them for good.',
        ),
        Alert.ARCHIVE_FAILED: AlertText(
            subject="Blind copy not delivered: {address}",
            what="The central blind copy of an e-mail could not be delivered to {address}.",
            comfort="The recipients of the e-mail itself are not affected.",
            action="Check whether the archive's mailbox still exists and whether it is full. Further cases are in the"
            ' log under "archive_failed".',
        ),
        Alert.UNCERTAIN_HELD: AlertText(
            subject="Perhaps sent already: {subject}",
            what="While this e-mail was being sent, the connection broke off before the e-mail provider confirmed it."
            " Perhaps it arrived, perhaps not. It is stopped, so that nobody gets it twice.",
            action='Ask one of the recipients. If it did not arrive, send it with "relay queue release {queue_id}"; if'
            ' it did, delete it with "relay queue delete {queue_id}".',
            helper="The person who looks after the mail service does both.",
        ),
    },
    reports={
        Report.FAILED: ReportText(
            subject="Not delivered: {subject}",
            subject_some="Not delivered to all: {subject}",
            openings={
                Others.NONE: "Your e-mail could not be delivered.",
                Others.HANDED_OVER: "Your e-mail could not be delivered to all recipients; for the others your e-mail"
                " provider has taken it.",
                Others.OPEN: "Your e-mail could not be delivered to all recipients; of the others it is not known yet.",
                Others.MIXED: "Your e-mail could not be delivered to all recipients; for some of the others your"
                " e-mail provider has taken it, of the rest it is not known yet.",
            },
            recipients_label="Not delivered to",
        ),
        Report.DELAYED: ReportText(
            subject="Not delivered yet: {subject}",
            subject_some="Not delivered to all yet: {subject}",
            openings={
                Others.NONE: "Your e-mail could not be delivered yet.",
                Others.HANDED_OVER: "Your e-mail could not be delivered to all recipients yet; for the others your"
                " e-mail provider has taken it.",
                Others.OPEN: "Your e-mail could not be delivered yet.",
                Others.MIXED: "Your e-mail could not be delivered to all recipients yet; for some of the others your"
                " e-mail provider has taken it.",
            },
            goes_on="The mail service keeps trying.",
            goes_on_until="The mail service keeps trying, until {until} at the latest.",
            recipients_label="Not delivered yet to",
            action="You need not do anything. Do not send the e-mail again, or it may arrive twice. If it cannot be"
            " delivered, you will get another notice.",
        ),
        Report.RELAYED: ReportText(
            subject="Handed over: {subject}",
            openings=dict.fromkeys(
                Others,
                "Your e-mail was handed over to the e-mail provider, who does not say whether it arrived. If it is"
                " refused later, he usually sends a message of his own to the sender's address.",
            ),
            recipients_label="On the way to",
            action="You need not do anything.",
        ),
    },
)
"""The same facts as in German, kind by kind."""
