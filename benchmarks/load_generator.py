"""A fast HTTP load generator: one loop, without an object per request."""

import json
import select
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

TIMEOUT = 30


class InvalidResponse(Exception):
    """A response with an unexpected status or content."""


@dataclass
class LoadResult:
    """Responses by status code (0: connection closed) and their latencies in seconds."""

    seconds: float = 0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    # When each failed request ended.
    failed_at: list[float] = field(default_factory=list)

    @property
    def responses(self) -> int:
        """The number of responses."""
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Successful responses per second."""
        return (self.responses - len(self.failed_at)) / self.seconds

    def percentile(self, percent: int) -> float:
        """Return a percentile of the latency, in seconds."""
        return sorted(self.latencies)[self.responses * percent // 100]


def request(method: str, path: str, body: object = None) -> bytes:
    """Return the bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n"
    if body is None:
        return f"{head}\r\n".encode()
    content = json.dumps(body).encode()
    head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


def run_load(
    port: int, requests: Iterator[bytes], *, connections: int, seconds: float
) -> LoadResult:
    """Send requests on all connections for some seconds; replace broken connections.

    The measurement starts after one response per connection, because a busy server accepts new
    connections slowly.
    """
    clients = _Clients(port, requests)
    try:
        clients.open(connections)
        return clients.serve(seconds)
    finally:
        clients.close()


class _Clients:
    """Connections by file descriptor. Each sends a request as soon as it has a response."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.load = LoadResult()
        self._port = port
        self._requests = requests
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        # Requests in progress: start time, and missing bytes of the response.
        self._started: dict[int, float] = {}
        self._missing: dict[int, int] = {}

    def open(self, connections: int) -> None:
        """Open connections, and wait for one response on each."""
        for _ in range(connections):
            self._connect()
        self._exchange(until=0)

    def serve(self, seconds: float) -> LoadResult:
        """Send requests for some seconds, and wait for the last responses."""
        self.load = LoadResult()
        started = perf_counter()
        for descriptor in self._sockets:
            self._send(descriptor)
        self._exchange(until=started + seconds)
        self.load.seconds = perf_counter() - started
        return self.load

    def _exchange(self, until: float) -> None:
        while self._started:
            events = self._poll.poll(TIMEOUT)
            if not events:
                raise InvalidResponse(f"no response within {TIMEOUT} seconds")
            for descriptor, _event in events:
                if not self._receive(descriptor):
                    continue
                if perf_counter() >= until:
                    self._started.pop(descriptor, None)
                elif descriptor in self._sockets:
                    self._send(descriptor)
                else:
                    self._connect()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._sockets.values():
            connection.close()
        self._poll.close()

    def _connect(self) -> None:
        new = socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT)
        new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        descriptor = new.fileno()
        self._sockets[descriptor] = new
        self._poll.register(descriptor, select.EPOLLIN)
        self._send(descriptor)

    def _send(self, descriptor: int) -> None:
        self._started[descriptor] = perf_counter()
        self._sockets[descriptor].sendall(next(self._requests))

    def _receive(self, descriptor: int) -> bool:
        """Receive data; return whether the response is complete."""
        try:
            data = self._sockets[descriptor].recv(262_144)
        except ConnectionError:
            data = b""
        if not data:
            self._record(descriptor, 0)
            self._poll.unregister(descriptor)
            self._sockets.pop(descriptor).close()
            self._started.pop(descriptor)
            self._missing.pop(descriptor, None)
            return True
        missing = self._missing.pop(descriptor, None)
        if missing is None:
            missing = _response_length(data)
            # Recorded with the first part of the response.
            self._record(descriptor, int(data[9:12]))
        if missing > len(data):
            self._missing[descriptor] = missing - len(data)
            return False
        return True

    def _record(self, descriptor: int, status: int) -> None:
        now = perf_counter()
        self.load.statuses[status] += 1
        self.load.latencies.append(now - self._started[descriptor])
        if status // 100 != 2:
            self.load.failed_at.append(now)


def _response_length(data: bytes) -> int:
    head = data.find(b"\r\n\r\n")
    at = data.find(b"content-length: ", 0, head + 2)
    if head < 0 or at < 0:
        raise InvalidResponse(f"response without Content-Length: {data[:200]!r}")
    return head + 4 + int(data[at + 16 : data.index(b"\r", at)])


def send_request(port: int, request: bytes) -> tuple[int, Any]:
    """Send one request; return the status code and the JSON content, or else the text."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        connection.sendall(request)
        data = connection.recv(262_144)
        length = _response_length(data)
        while len(data) < length:
            data += connection.recv(262_144)
    content = data.partition(b"\r\n\r\n")[2].decode()
    try:
        return int(data[9:12]), json.loads(content)
    except ValueError:
        return int(data[9:12]), content
