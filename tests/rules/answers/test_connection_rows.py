"""A technical cause is recognised in the line that was stored of it, and told in both languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rules.answers.connection_rows import explain_cause, read_cause
from relay.rules.answers.row import Cause


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("smtp.example:587: Connection refused", Cause.REFUSED),
        ("smtp.example:587 did not answer in time", Cause.NO_ANSWER),
        ("smtp.example: Connection timed out", Cause.NO_ANSWER),
        ("no answer within 300 s", Cause.NO_ANSWER),
        ("smtp.exmaple:587: Name or service not known", Cause.NO_SUCH_HOST),
        ("smtp.exmaple:587: No address associated with hostname", Cause.NO_SUCH_HOST),
        ("smtp.example:587: Temporary failure in name resolution", Cause.NAME_SERVER),
        ("smtp.example:587: its name was not resolved in time", Cause.NAME_SERVER),
        ("192.0.2.1:25: Network is unreachable", Cause.NO_ROUTE),
        ("192.0.2.1:25: No route to host", Cause.NO_ROUTE),
        ("smtp.example: Connection reset by peer", Cause.CLOSED),
        ("the server closed the connection", Cause.CLOSED),
        ("TLS with smtp.example:587: WRONG_VERSION_NUMBER", Cause.NO_TLS),
        ("TLS with smtp.example:587: RECORD_LAYER_FAILURE", Cause.NO_TLS),
        ("TLS with smtp.example:587: TLSV1_ALERT_PROTOCOL_VERSION", Cause.OLD_TLS),
        ("TLS with smtp.example:587: DH_KEY_TOO_SMALL", Cause.OLD_TLS),
        ("TLS with smtp.example:587: NO_CERTIFICATE_OR_CRL_FOUND", Cause.CA_FILE),
        ("ca_file /etc/relay/ca.pem holds no certificate", Cause.CA_FILE),
        ("the certificate of x: unable to get local issuer certificate", Cause.CERTIFICATE_ISSUER),
        ("the certificate of x: self-signed certificate in certificate chain", Cause.CERTIFICATE_ISSUER),
        ("the certificate of x: self-signed certificate", Cause.CERTIFICATE_SELF_SIGNED),
        ("the certificate of x: self signed certificate", Cause.CERTIFICATE_SELF_SIGNED),
        ("the certificate of x: Hostname mismatch, certificate is not valid for 'x'.", Cause.CERTIFICATE_NAME),
        ("the certificate of x: IP address mismatch, certificate is not valid for '::1'.", Cause.CERTIFICATE_NAME),
        ("the certificate of x: certificate has expired", Cause.CERTIFICATE_EXPIRED),
        ("the certificate of x: certificate is not yet valid", Cause.CERTIFICATE_FUTURE),
        ("the certificate of x: certificate revoked", Cause.CERTIFICATE),
        ("the server offers no STARTTLS", Cause.NO_STARTTLS),
        ("the server offers no STLS", Cause.NO_STARTTLS),
        ("the server offers no login that we know", Cause.NO_LOGIN),
        ("5.7.1 Mailbox closed for maintenance", None),
        ("", None),
    ],
)
def test_a_cause_is_recognised_in_what_was_stored(text: str, cause: Cause | None) -> None:
    assert read_cause(text) is cause


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("cause", Cause)
def test_each_cause_has_a_sentence_and_an_advice(cause: Cause, language: str) -> None:
    words = explain_cause(cause, language)
    for sentence in (words.what, words.advice):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    assert words != explain_cause(cause, "en" if language == "de" else "de")


@given(st.text(max_size=200))
def test_any_text_is_a_cause_or_none(text: str) -> None:
    cause = read_cause(text)
    assert cause is None or explain_cause(cause, "de").what
