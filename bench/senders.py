"""Senders with STARTTLS and AUTH, which smtp-source can't do: a thread for each session. Run in a process of its own.

Prints when the first one began to connect and when the last mail had its 250, as monotonic times.
"""

import argparse
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.client import Client, write_mail
from bench.contestants import LOGIN, PASSWORD, RECIPIENT, SENDER


def main() -> None:
    """Hand in the mails. Raises RuntimeError or OSError if one is not taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("port", "messages", "sessions", "length"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--ca-file", type=Path, required=True)
    chosen = parser.parse_args()
    numbers = iter(range(chosen.messages))
    lock = threading.Lock()

    def send() -> None:
        with Client(chosen.port, ca_file=chosen.ca_file, login=LOGIN, password=PASSWORD) as client:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                client.send(SENDER, RECIPIENT, write_mail(number, chosen.length))

    began = time.monotonic()
    with ThreadPoolExecutor(chosen.sessions) as pool:
        for session in [pool.submit(send) for _ in range(chosen.sessions)]:
            session.result()
    print(began, time.monotonic())


if __name__ == "__main__":
    main()
