"""Technical causes in the words of people: why a server could not be reached, or not be trusted.

Whatever fails on the way to a provider is kept as one short English line (`describe_fault` of the dialing):
`smtp.example:587: Connection refused`. Here such a line (a reply without a code) is recognised again and told in both
languages, with what helps. So `relay account test`, alerts and notices say the same, also of what an earlier release
has stored. To users say `what` alone: the advice is the administrator's.
"""

from collections.abc import Mapping
from typing import Final

from relay.rules.answers.row import About, Advice, Cause, Explanation, Row, Stage

_SIGNS: Mapping[Cause, str] = {
    Cause.CA_FILE: (r"ca_file .* (?:can't be read|holds no certificate)|NO_CERTIFICATE_OR_CRL_FOUND"),
    Cause.CERTIFICATE_ISSUER: (
        r"certificate of .*(?:unable to get (?:local )?issuer|unable to verify the first"
        r"|self[- ]signed certificate in certificate chain|unable to get certificate CRL)"
    ),
    Cause.CERTIFICATE_SELF_SIGNED: (r"certificate of .*self[- ]signed certificate"),
    Cause.CERTIFICATE_NAME: (r"certificate of .*(?:hostname|IP address) mismatch"),
    Cause.CERTIFICATE_EXPIRED: (r"certificate of .*has expired"),
    Cause.CERTIFICATE_FUTURE: (r"certificate of .*not yet valid"),
    Cause.CERTIFICATE: (r"(?:^|\s)the certificate of "),
    Cause.NO_TLS: (
        r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL"
        r"|does not begin with TLS"
    ),
    Cause.OLD_TLS: (
        r"UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|NO_PROTOCOLS_AVAILABLE|HANDSHAKE_FAILURE|NO_SHARED_CIPHER"
        r"|_TOO_SMALL|_TOO_WEAK|LEGACY_SIGALG|UNSAFE_LEGACY_RENEGOTIATION"
    ),
    Cause.TLS_AT_ONCE: (r"begins with TLS"),
    Cause.NO_STARTTLS: (r"the server offers no (?:STARTTLS|STLS)"),
    Cause.NO_LOGIN: (r"the server offers no login"),
    Cause.NAME_SERVER: (r"temporary failure in name resolution|its name was not resolved in time"),
    Cause.NO_SUCH_HOST: (
        r"name or service not known|no address associated with|nodename nor servname|the name has no address"
        r"|name does not resolve|non-recoverable failure in name resolution"
    ),
    Cause.REFUSED: (r"connection refused"),
    Cause.NO_ROUTE: (r"no route to host|network is (?:unreachable|down)|host is down"),
    Cause.NO_ANSWER: (r"did not answer in time|timed? ?out|no answer within|no progress within"),
    Cause.CLOSED: (
        r"connection (?:was )?(?:reset|lost|closed|aborted)|closed the connection"
        r"|(?<!protocol error\. )connection is closed"  # that one is Microsoft's own answer
        r"|unexpected EOF|UNEXPECTED_EOF|broken pipe"
    ),
}
"""The first that is found counts."""

_LONGEST = 1000
"""Characters of a text that are looked at."""

_ENGLISH = {
    Cause.REFUSED: Explanation(
        what="The server answers, but refuses the connection.",
        advice="Compare host and port with what the provider names. A firewall may also refuse.",
    ),
    Cause.NO_ANSWER: Explanation(
        what="The server gives no answer.",
        advice="Compare host and port with what the provider names, and ask whether the office's firewall or router"
        " lets this port out.",
    ),
    Cause.NO_SUCH_HOST: Explanation(
        what="There is no server of this name.",
        advice="Compare the name, letter by letter, with what the provider names.",
    ),
    Cause.NAME_SERVER: Explanation(
        what="The name can't be looked up at the moment: no name server answers.",
        advice="Look whether this machine is in the internet at all.",
    ),
    Cause.NO_ROUTE: Explanation(
        what="No way leads to the server.", advice="Look whether this machine is in the internet at all."
    ),
    Cause.CLOSED: Explanation(
        what="The server ended the connection without saying why.",
        advice="Try again in some minutes. If it stays so, compare host and port with what the provider names.",
    ),
    Cause.NO_TLS: Explanation(
        what="This port does not begin with TLS.",
        advice='Set security = "starttls", or take the port that the provider names for TLS (SMTP 465, POP3 995).',
    ),
    Cause.TLS_AT_ONCE: Explanation(
        what="This port begins with TLS, and the service waits for a greeting without it.",
        advice='Set security = "tls", or take the port that the provider names for STARTTLS (SMTP 587, POP3 110).',
    ),
    Cause.NO_STARTTLS: Explanation(
        what="The server offers no STARTTLS on this port.",
        advice='Take the port that the provider names for TLS (SMTP 465, POP3 995), with security = "tls".',
    ),
    Cause.OLD_TLS: Explanation(
        what="The server speaks only an encryption that is too old to be safe.",
        advice="Ask the provider for a server with TLS 1.2 or newer.",
    ),
    Cause.CERTIFICATE_ISSUER: Explanation(
        what="The server's certificate comes from an authority that this machine does not know.",
        advice="Save the authority's certificate as a PEM file, and name it in ca_file:"
        ' "relay account edit {account} --ca-file FILE".',
    ),
    Cause.CERTIFICATE_SELF_SIGNED: Explanation(
        what="The server has signed its certificate itself.",
        advice="If it is your own server, save its certificate as a PEM file, and name it in ca_file:"
        ' "relay account edit {account} --ca-file FILE".',
    ),
    Cause.CERTIFICATE_NAME: Explanation(
        what="The server's certificate is for another name than the one in host.",
        advice="Write into host the name that the provider names.",
    ),
    Cause.CERTIFICATE_EXPIRED: Explanation(
        what="The server's certificate has expired.",
        advice="Look at this machine's date first. If it is right, the provider must renew the certificate.",
    ),
    Cause.CERTIFICATE_FUTURE: Explanation(
        what="The server's certificate is not valid yet.", advice="This machine's date is probably wrong: set it."
    ),
    Cause.CERTIFICATE: Explanation(
        what="The server's certificate can't be trusted.", advice="Ask the provider whether something has changed."
    ),
    Cause.CA_FILE: Explanation(
        what="The file that ca_file names can't be used.",
        advice="It must be a PEM file with the authority's certificate, which begins -----BEGIN CERTIFICATE-----.",
    ),
    Cause.NO_LOGIN: Explanation(
        what="The server offers no login on this port.",
        advice='Take the port that the provider names for sending (587 with security = "starttls", 465 with "tls").',
    ),
}

_GERMAN = {
    Cause.REFUSED: Explanation(
        what="Der Server des Anbieters antwortet, lehnt die Verbindung aber ab.",
        advice="Bitte vergleichen Sie Server und Port mit den Angaben des Anbieters."
        " Auch ein Schutz im Netz des Büros kann die Verbindung verhindern.",
    ),
    Cause.NO_ANSWER: Explanation(
        what="Der Server des Anbieters antwortet nicht.",
        advice="Bitte vergleichen Sie Server und Port mit den Angaben des Anbieters, und fragen Sie, ob das Netz"
        " des Büros diesen Port nach außen durchlässt.",
    ),
    Cause.NO_SUCH_HOST: Explanation(
        what="Einen Server dieses Namens gibt es nicht.",
        advice="Bitte vergleichen Sie den Namen Buchstabe für Buchstabe mit den Angaben des Anbieters.",
    ),
    Cause.NAME_SERVER: Explanation(
        what="Der Name des Servers lässt sich zurzeit nicht nachschlagen.",
        advice="Bitte prüfen Sie, ob dieser Rechner überhaupt mit dem Internet verbunden ist.",
    ),
    Cause.NO_ROUTE: Explanation(
        what="Zum Server des Anbieters führt kein Weg.",
        advice="Bitte prüfen Sie, ob dieser Rechner überhaupt mit dem Internet verbunden ist.",
    ),
    Cause.CLOSED: Explanation(
        what="Der Server des Anbieters hat die Verbindung ohne Begründung beendet.",
        advice="Bitte versuchen Sie es in einigen Minuten noch einmal. Bleibt es so, vergleichen Sie Server und Port"
        " mit den Angaben des Anbieters.",
    ),
    Cause.NO_TLS: Explanation(
        what="Der Server des Anbieters erwartet dort, dass die Verbindung unverschlüsselt beginnt;"
        " eingestellt ist es anders.",
        advice='Bitte setzen Sie security = "starttls", oder nehmen Sie den Port, den der Anbieter für TLS nennt'
        " (Senden 465, Abholen 995).",
    ),
    Cause.TLS_AT_ONCE: Explanation(
        what="Der Server des Anbieters erwartet dort, dass die Verbindung verschlüsselt beginnt;"
        " eingestellt ist es anders.",
        advice='Bitte setzen Sie security = "tls", oder nehmen Sie den Port, den der Anbieter für STARTTLS nennt'
        " (Senden 587, Abholen 110).",
    ),
    Cause.NO_STARTTLS: Explanation(
        what="Der Server des Anbieters bietet dort keine Verschlüsselung an.",
        advice="Bitte nehmen Sie den Port, den der Anbieter für TLS nennt (Senden 465, Abholen 995),"
        ' mit security = "tls".',
    ),
    Cause.OLD_TLS: Explanation(
        what="Der Server des Anbieters beherrscht nur eine veraltete, unsichere Verschlüsselung.",
        advice="Bitte fragen Sie den Anbieter nach einem Server mit TLS 1.2 oder neuer.",
    ),
    Cause.CERTIFICATE_ISSUER: Explanation(
        what="Das Zertifikat, mit dem sich der Server ausweist, stammt von einer Stelle, die dieser Rechner nicht"
        " kennt.",
        advice="Bitte speichern Sie das Zertifikat dieser Stelle als PEM-Datei, und nennen Sie die Datei in ca_file:"
        " „relay account edit {account} --ca-file DATEI“.",
    ),
    Cause.CERTIFICATE_SELF_SIGNED: Explanation(
        what="Der Server hat sein Zertifikat, mit dem er sich ausweist, selbst unterschrieben.",
        advice="Ist es Ihr eigener Server, so speichern Sie bitte sein Zertifikat als PEM-Datei, und nennen Sie die"
        " Datei in ca_file: „relay account edit {account} --ca-file DATEI“.",
    ),
    Cause.CERTIFICATE_NAME: Explanation(
        what="Das Zertifikat, mit dem sich der Server ausweist, gilt für einen anderen Namen als den eingestellten.",
        advice="Bitte tragen Sie in host den Namen ein, den der Anbieter nennt.",
    ),
    Cause.CERTIFICATE_EXPIRED: Explanation(
        what="Das Zertifikat, mit dem sich der Server ausweist, ist abgelaufen.",
        advice="Bitte prüfen Sie zuerst das Datum dieses Rechners. Stimmt es, so muss der Anbieter das Zertifikat"
        " erneuern.",
    ),
    Cause.CERTIFICATE_FUTURE: Explanation(
        what="Das Zertifikat, mit dem sich der Server ausweist, gilt noch nicht.",
        advice="Wahrscheinlich ist das Datum dieses Rechners falsch: Bitte stellen Sie es richtig.",
    ),
    Cause.CERTIFICATE: Explanation(
        what="Dem Zertifikat, mit dem sich der Server ausweist, ist nicht zu trauen.",
        advice="Bitte fragen Sie den Anbieter, ob sich etwas geändert hat.",
    ),
    Cause.CA_FILE: Explanation(
        what="Die Datei, die in ca_file genannt ist, lässt sich nicht verwenden.",
        advice="Sie muss eine PEM-Datei mit dem Zertifikat der ausstellenden Stelle sein; diese beginnt mit"
        " -----BEGIN CERTIFICATE-----.",
    ),
    Cause.NO_LOGIN: Explanation(
        what="Der Server des Anbieters bietet dort keine Anmeldung an.",
        advice="Bitte nehmen Sie den Port, den der Anbieter zum Senden nennt"
        ' (587 mit security = "starttls", 465 mit "tls").',
    ),
}


CONNECTION_ROWS: Final = tuple(
    Row(
        name=cause,
        about=About.CONNECTION,
        advice=Advice.UNREACHABLE,
        stages=frozenset({Stage.CONNECT}),
        codes=frozenset({0}),
        says=f"(?i:{sign})",
        english=_ENGLISH[cause],
        german=_GERMAN[cause],
    )
    for cause, sign in _SIGNS.items()
)
_BY_NAME: Final = {row.name: row for row in CONNECTION_ROWS}


def read_cause(text: str) -> Cause | None:
    """Recognise a cause in a line of ours, such as a stored reply without a code; None where it is none of these."""
    line = text[:_LONGEST].replace("\n", " ")
    return next(
        (Cause(row.name) for row in CONNECTION_ROWS if row.fits(stage=Stage.CONNECT, code=0, status="", text=line)),
        None,
    )


def explain_cause(cause: Cause, language: str, *, account: str = "NAME") -> Explanation:
    """Tell a cause in `de` or `en`; `account`: for the commands of the advice, as a shell wants it."""
    words = _BY_NAME[cause].explain(language, account)
    assert words is not None
    return words
