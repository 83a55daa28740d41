import ssl

import pytest

from relay.upstream.tls import describe_fault, tls_context
from tests.upstream.conftest import Authority


def test_the_authorities_are_read_once_and_again_when_they_change(authority: Authority) -> None:
    path = str(authority.ca_file)
    first = tls_context(path, verify=True)
    assert tls_context(path, verify=True) is first
    authority.ca_file.touch()
    assert tls_context(path, verify=True) is not first
    assert first.verify_mode is ssl.CERT_REQUIRED
    assert first.check_hostname
    assert first.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls_context(None, verify=False).verify_mode is ssl.CERT_NONE
    with pytest.raises(OSError, match="No such file"):
        tls_context("/nowhere.pem", verify=True)


def test_faults_are_told_in_words() -> None:
    refused = ConnectionRefusedError(111, "Connection refused")
    outer = RuntimeError("wrapped")
    outer.__cause__ = refused
    assert describe_fault(outer, "h") == ("4.4.1", "h: Connection refused")
    assert describe_fault(TimeoutError(), "h") == ("4.4.1", "h did not answer in time")
    assert describe_fault(ValueError("odd"), "h") == ("4.4.1", "h: odd")
    assert describe_fault(ssl.SSLError(1, "x"), "h")[0] == "4.7.5"
