"""A load generator that is quicker than what it measures: one loop, and no object a request."""

import json
import select
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

PATIENCE = 30


class WrongAnswer(Exception):
    """An answer that is not what was asked for."""


@dataclass
class Load:
    """What a load met: answers by status (0: none came) and the seconds that each took."""

    seconds: float = 0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    # When what went wrong went wrong.
    failed_at: list[float] = field(default_factory=list)

    @property
    def answers(self) -> int:
        """How many there were."""
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Answers that are no error, in a second."""
        return (self.answers - len(self.failed_at)) / self.seconds

    def percentile(self, percent: int) -> float:
        """The seconds within which so many of a hundred were answered."""
        return sorted(self.latencies)[self.answers * percent // 100]


def request(method: str, path: str, body: object = None) -> bytes:
    """A request as it is sent."""
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n"
    if body is None:
        return f"{head}\r\n".encode()
    content = json.dumps(body).encode()
    head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


def drive(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> Load:
    """Keep so many connections busy for so long; a connection that breaks is replaced.

    It begins when each has been answered once: a server that is busy accepts new ones slowly.
    """
    clients = _Clients(port, requests)
    try:
        clients.open(connections)
        return clients.serve(seconds)
    finally:
        clients.close()


class _Clients:
    """Connections, each of which asks again as soon as it has its answer; by file number."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.load = Load()
        self._port = port
        self._requests = requests
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        # Of what is under way: since when, and how much of the answer is still to come.
        self._asked: dict[int, float] = {}
        self._missing: dict[int, int] = {}

    def open(self, connections: int) -> None:
        """Connect so many, and wait for one answer each."""
        for _ in range(connections):
            self._connect()
        self._exchange(until=0)

    def serve(self, seconds: float) -> Load:
        """Ask for so long, and wait for the last answers."""
        self.load = Load()
        started = perf_counter()
        for number in self._sockets:
            self._ask(number)
        self._exchange(until=started + seconds)
        self.load.seconds = perf_counter() - started
        return self.load

    def _exchange(self, until: float) -> None:
        while self._asked:
            ready = self._poll.poll(PATIENCE)
            if not ready:
                raise WrongAnswer(f"no answer within {PATIENCE} seconds")
            for number, _event in ready:
                if not self._receive(number):
                    continue
                if perf_counter() >= until:
                    self._asked.pop(number, None)
                elif number in self._sockets:
                    self._ask(number)
                else:
                    self._connect()

    def close(self) -> None:
        """Hang up."""
        for connection in self._sockets.values():
            connection.close()
        self._poll.close()

    def _connect(self) -> None:
        new = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = new.fileno()
        self._sockets[number] = new
        self._poll.register(number, select.EPOLLIN)
        self._ask(number)

    def _ask(self, number: int) -> None:
        self._asked[number] = perf_counter()
        self._sockets[number].sendall(next(self._requests))

    def _receive(self, number: int) -> bool:
        """Take what has come; whether nothing more will."""
        try:
            data = self._sockets[number].recv(262_144)
        except ConnectionError:
            data = b""
        if not data:
            self._note(number, 0)
            self._poll.unregister(number)
            self._sockets.pop(number).close()
            self._asked.pop(number)
            self._missing.pop(number, None)
            return True
        left = self._missing.pop(number, None)
        if left is None:
            left = _length(data)
            # Noted with its first part: what follows is on its way.
            self._note(number, int(data[9:12]))
        if left > len(data):
            self._missing[number] = left - len(data)
            return False
        return True

    def _note(self, number: int, status: int) -> None:
        now = perf_counter()
        self.load.statuses[status] += 1
        self.load.latencies.append(now - self._asked[number])
        if status // 100 != 2:
            self.load.failed_at.append(now)


def _length(data: bytes) -> int:
    head = data.find(b"\r\n\r\n")
    at = data.find(b"content-length: ", 0, head + 2)
    if head < 0 or at < 0:
        raise WrongAnswer(f"not an answer with a length: {data[:200]!r}")
    return head + 4 + int(data[at + 16 : data.index(b"\r", at)])


def ask(port: int, request: bytes) -> tuple[int, Any]:
    """The status of the answer to one request, and its content: as text where it is no JSON."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        data = connection.recv(262_144)
        whole = _length(data)
        while len(data) < whole:
            data += connection.recv(262_144)
    content = data.partition(b"\r\n\r\n")[2].decode()
    try:
        return int(data[9:12]), json.loads(content)
    except ValueError:
        return int(data[9:12]), content
