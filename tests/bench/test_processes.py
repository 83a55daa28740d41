"""The helpers of the benchmark are right: what they measure can be believed."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.client import Client, write_mail
from bench.contestants import LOGIN, PASSWORD, Certificates
from bench.memory import Scale, read_memory
from bench.processes import Helper
from tests.peers.machine import wait_until
from tests.peers.sink import Sink

pytestmark = pytest.mark.peer


def test_a_far_provider_answers_after_the_round_trip() -> None:
    with Sink() as sink, Helper("delay", sink.port, 50) as far:
        began = time.monotonic()
        with Client(far.port) as client:
            assert time.monotonic() - began > 0.15  # connection, greeting, EHLO
            assert 0.05 <= client.ask() < 0.5
            client.send("a@example.com", "b@example.net", write_mail(1, 4000))
        (received,) = sink.wait_for(1)
    assert received.field("X-Number") == [b"1"]


def test_a_front_wants_tls_and_auth_before_it_lets_anybody_through(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with Sink() as sink, Helper("front", sink.port, certificates.server_file) as front:
        with Client(front.port, ca_file=certificates.ca_file, login=LOGIN, password=PASSWORD) as client:
            client.send("a@example.com", "b@example.net", write_mail(1, 100_000))
        with pytest.raises(RuntimeError, match="530"), Client(front.port) as client:
            client.ask()
        (received,) = sink.wait_for(1)
    assert len(received.body) == 79 * 1250


def test_a_provider_stamps_each_mail_between_its_dot_and_its_250() -> None:
    with Helper("stamps") as sink, Client(sink.port) as client:
        for number in (3, 4):
            sent, taken = client.send("a@example.com", "b@example.net", write_mail(number, 4096))
            told, at = sink.read_line().split()
            assert int(told) == number
            assert sent < float(at) < taken


def test_a_helper_that_ends_is_told() -> None:
    with pytest.raises(RuntimeError, match="ended"), Helper("no_such_helper"):
        pass


def test_memory_is_that_of_a_program_with_its_children() -> None:
    child = "x = b'x' * 50_000_000; print(flush=True); input()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout
        program.stdout.readline()
        assert 50e6 < read_memory(program.pid) < 90e6
        with Scale(program.pid, on=True) as scale:
            wait_until(lambda: scale.figures["peak memory, MB"] > 50, what="a look at the memory")
            program.communicate(b"\n")
    assert 50 < scale.figures["peak memory, MB"] < 90
    assert read_memory(program.pid) == 0
    with Scale(program.pid, on=False) as scale:
        assert not scale.figures
