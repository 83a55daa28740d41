from tests.peers.programs import Mail, Server, submit_by_smtplib
from tests.peers.recorder import Recorder


def test_the_very_bytes_are_kept() -> None:
    data = b"From: a@example.com\r\n\r\n.dot\r\nbare\rcr\r\n8-bit \xe4\r\n"
    mail = Mail(sender="a@example.com", recipients=("b@example.net", "c@example.net"), data=data)
    with Recorder() as recorder:
        assert submit_by_smtplib(Server(port=recorder.port), mail).status == 0
        (received,) = recorder.wait_for(1)
    assert recorder.wire == [data.replace(b"\r\n.dot", b"\r\n..dot")]
    assert (received.reverse_path, received.recipients) == (mail.sender, mail.recipients)
    assert received.header == b"From: a@example.com\n"
    assert received.body == b".dot\nbare\rcr\n8-bit \xe4\n"
