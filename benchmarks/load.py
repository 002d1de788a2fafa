"""A client of many connections: each asks again as soon as it has its answer."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import quantiles
from urllib.parse import urlsplit


@dataclass
class Load:
    """What came of it. Times in seconds."""

    seconds: float = 0
    times: list[float] = field(default_factory=list)
    statuses: Counter[int | str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Answers that are no error."""
        return sum(self.statuses[status] for status in (200, 201)) / self.seconds

    def percentile(self, percent: int) -> float:
        """The time within which so many of a hundred were answered."""
        return quantiles(self.times, n=100)[percent - 1]

    @property
    def errors(self) -> dict[int | str, int]:
        """Answers that are errors, and broken connections."""
        return {name: count for name, count in self.statuses.items() if name not in (200, 201)}


def request(method: str, path: str, body: object = None) -> bytes:
    """A request as it is sent."""
    sent = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent


async def drive(
    url: str, connections: int, seconds: float, requests: Callable[[], Iterator[bytes]]
) -> Load:
    """Send each connection's requests over and over for so long."""
    load = Load()
    began = time.perf_counter()
    until = began + seconds
    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(_connection(url, until, requests(), load))
    # The last answers come after the end.
    load.seconds = time.perf_counter() - began
    return load


async def _connection(url: str, until: float, requests: Iterator[bytes], load: Load) -> None:
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    while (began := time.perf_counter()) < until:
        writer.write(next(requests))
        try:
            status = await _status(reader)
        except (OSError, EOFError) as error:
            load.statuses[type(error).__name__] += 1
            writer.close()
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            continue
        load.times.append(time.perf_counter() - began)
        load.statuses[status] += 1
    writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head[9:12])
