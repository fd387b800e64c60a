"""Servers that speak SSH badly on purpose: one line for a person, whatever paramiko makes of it."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from calitui.errors import NodeError
from calitui.nodes.ssh.connect import Limits
from tests.nodes.ssh.conftest import Dialler
from tests.sshd import Client

BANNER = b"SSH-2.0-OpenSSH_9.9\r\n"


def packet(payload: bytes) -> bytes:
    padding = 8 - (len(payload) + 5) % 8 + 8
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


def kexinit(*lists: bytes) -> bytes:
    body = b"".join(struct.pack(">I", len(one)) + one for one in lists)
    return packet(b"\x14" + bytes(16) + body + bytes(5))


ANSWERS = {
    "nothing": b"",
    "half a banner": b"SSH-2.",
    "banner without a line end": b"SSH-2.0-" + b"x" * 100_000,
    "old protocol": b"SSH-1.5-OpenSSH_2.1\r\n",
    "not text": b"\xff\xfe\x00\n" * 200,
    "escapes": b"\x1b[31mSSH-9.9-\x1b[0m\r\n" * 200,
    "banner, then noise": BANNER + random.Random(1).randbytes(4096),  # noqa: S311 - noise
    "absurd length": BANNER + struct.pack(">I", 0xFFFFFFF0) + b"x" * 100,
    "empty kexinit": BANNER + packet(b"\x14"),
    "no algorithms": BANNER + kexinit(*[b""] * 10),
    "algorithms that are not text": BANNER + kexinit(*[b"\xff\xfe,\x1b[2J"] * 10),
    "lengths that lie": BANNER + packet(b"\x14" + bytes(16) + struct.pack(">I", 2**31)),
    "disconnect": BANNER + packet(b"\x01" + struct.pack(">II", 2, 8) + b"go\x1baway" + struct.pack(">I", 0)),
    "unexpected message": BANNER + packet(b"\x5b" + bytes(16)),
}


@pytest.fixture
def answering(client: Client) -> Iterator[Callable[[bytes], None]]:
    """A port that says what it is told to, reads what it gets, and hangs up; alias `bad`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client.config.write_text(f"Host bad\n  HostName 127.0.0.1\n  Port {listener.getsockname()[1]}\n")
        threads: list[threading.Thread] = []

        def serve(answer: bytes) -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                try:
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except OSError:
                    return

        def start(answer: bytes) -> None:
            threads.append(threading.Thread(target=serve, args=(answer,)))
            threads[-1].start()

        yield start
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("kind", ANSWERS)
def test_it_is_one_printable_line(
    answering: Callable[[bytes], None],
    dial: Callable[..., Dialler],
    capfd: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    answering(ANSWERS[kind])
    with pytest.raises(NodeError) as caught:
        dial(limits=Limits(handshake=3)).run("bad", "true")
    words = str(caught.value)
    assert "127.0.0.1:" in words
    assert words.isprintable()
    assert len(words) < 600
    assert capfd.readouterr() == ("", "")
