import ssl
from pathlib import Path

import pytest

from relay.upstream.tls import AuthoritiesError, describe_fault, tls_context
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


def test_a_file_of_authorities_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuthoritiesError, match=r"ca_file /nowhere.pem can't be read: No such file") as nowhere:
        tls_context("/nowhere.pem", verify=True)
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN RUBBISH-----\n")
    with pytest.raises(AuthoritiesError) as rubbish:
        tls_context(str(path), verify=True)
    assert describe_fault(rubbish.value, "h") == ("4.7.5", f"ca_file {path} holds no certificate")
    assert describe_fault(nowhere.value, "h")[1].startswith("ca_file /nowhere.pem")


def test_faults_are_told_in_words() -> None:
    refused = ConnectionRefusedError(111, "Connection refused")
    outer = RuntimeError("wrapped")
    outer.__cause__ = refused
    assert describe_fault(outer, "h") == ("4.4.1", "h: Connection refused")
    assert describe_fault(TimeoutError(), "h") == ("4.4.1", "h did not answer in time")
    assert describe_fault(ValueError("odd"), "h") == ("4.4.1", "h: odd")
    assert describe_fault(ssl.SSLError(1, "x"), "h")[0] == "4.7.5"
