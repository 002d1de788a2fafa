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


def drive(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> Load:
    """Keep so many connections busy for so long; a connection that breaks is replaced."""
    load = Load()
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    sent: dict[int, float] = {}
    missing: dict[int, int] = {}

    def connect() -> None:
        new = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = new.fileno()
        sockets[number] = new
        poll.register(number, select.EPOLLIN)
        ask(number)

    def ask(number: int) -> None:
        sent[number] = perf_counter()
        sockets[number].sendall(next(requests))

    def note(number: int, answered: int) -> None:
        now = perf_counter()
        load.statuses[answered] += 1
        load.latencies.append(now - sent[number])
        if answered // 100 != 2:
            load.failed_at.append(now)

    started = perf_counter()
    end = started + seconds
    for _ in range(connections):
        connect()
    while sent:
        ready = poll.poll(PATIENCE)
        if not ready:
            raise WrongAnswer(f"no answer within {PATIENCE} seconds")
        for number, _event in ready:
            try:
                data = sockets[number].recv(262_144)
            except ConnectionError:
                data = b""
            if not data:
                note(number, 0)
                poll.unregister(number)
                sockets.pop(number).close()
                del sent[number]
                missing.pop(number, None)
                if perf_counter() < end:
                    connect()
                continue
            if (left := missing.pop(number, None)) is None:
                left = _length(data)
                answered = int(data[9:12])
                # Noted with its first part: what follows is on its way.
                note(number, answered)
            left -= len(data)
            if left > 0:
                missing[number] = left
            elif perf_counter() < end:
                ask(number)
            else:
                del sent[number]
    load.seconds = perf_counter() - started
    for open_socket in sockets.values():
        open_socket.close()
    poll.close()
    return load


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
