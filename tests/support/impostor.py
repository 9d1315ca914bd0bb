"""Take a server's ports as another program, answer 200 to everything, report what was received.

``python impostor.py UID PORT …`` waits until it has all ports, prints a line, and prints what it
received when its input ends. It imports nothing of ours: another user may not be able to read it.
"""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ANSWER = b'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: 0\r\n\r\n'
_TLS_HANDSHAKE = b"\x16\x03"
_SECONDS = 120.0


@dataclass
class Impostor:
    """A running impostor. `received` has the bytes of each connection by port, once it ended."""

    program: "subprocess.Popen[bytes]"
    received: dict[int, list[bytes]] = field(default_factory=dict)

    def wait_for_ports(self) -> None:
        """Wait until it has all its ports."""
        assert self.program.stdout is not None
        assert self.program.stdout.readline() == b"ready\n"

    @property
    def requests(self) -> list[bytes]:
        """Everything that it received, except for the beginnings of TLS handshakes."""
        everything = [data for connections in self.received.values() for data in connections]
        return [data for data in everything if data and not data.startswith(_TLS_HANDSHAKE)]


@contextmanager
def run_impostor(*ports: int, uid: int | None = None) -> Iterator[Impostor]:
    """Run a program that takes these ports as soon as they are free."""
    program = subprocess.Popen(
        [sys.executable, "-I", "-c", Path(__file__).read_text(), str(uid or ""), *map(str, ports)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
    )
    running = Impostor(program)
    try:
        yield running
    finally:
        output, _ = program.communicate(timeout=120)
    lines = output.splitlines()
    for port, connections in json.loads(lines[-1] if lines else "{}").items():
        running.received[int(port)] = [bytes.fromhex(data) for data in connections]


def _listen(port: int) -> socket.socket:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            return socket.create_server(("127.0.0.1", port), backlog=256)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.001)


def _receive(connection: socket.socket) -> bytes:
    """Receive some bytes and answer; return nothing when the connection has ended."""
    try:
        if data := connection.recv(65536):
            connection.sendall(ANSWER)
    except OSError:
        return b""
    return data


def _main(uid: str, *ports: str) -> None:
    if uid:
        os.setgroups([])
        os.setresgid(int(uid), int(uid), int(uid))
        os.setresuid(int(uid), int(uid), int(uid))
    listeners = {_listen(int(port)): int(port) for port in ports}
    connections: dict[socket.socket, bytearray] = {}
    received: dict[int, list[bytearray]] = {port: [] for port in listeners.values()}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        readable, _, _ = select.select([sys.stdin, *listeners, *connections], [], [])
        if sys.stdin in readable:
            break
        for listener in listeners.keys() & set(readable):
            connection, _ = listener.accept()
            connections[connection] = bytearray()
            received[listeners[listener]].append(connections[connection])
        for connection in connections.keys() & set(readable):
            if data := _receive(connection):
                connections[connection] += data
            else:
                del connections[connection]
                connection.close()
    report = {port: [data[:4096].hex() for data in each] for port, each in received.items()}
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    _main(*sys.argv[1:])
