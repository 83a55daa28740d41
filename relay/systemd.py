"""What systemd is told of the service's life (sd_notify(3)): one datagram, nothing where nobody listens."""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send a state such as `READY=1` to the socket that systemd names; does nothing without one. Never raises."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(address)
        client.sendall(state.encode())
