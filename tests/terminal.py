"""Runs interactive programs in a pseudo-terminal of 80 columns."""

import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path

import pytest

from tests.processes import environment

COLUMNS, ROWS = 80, 50
SECONDS = 30
# Control sequences of a terminal: CSI, OSC, and the two-character ones.
CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[()][0-9A-B]|\x1b[=>78]")

ENTER, BACKSPACE, DOWN, CLEAR_LINE = "\r", "\x7f", "\x1b[B", "\x15"


class Terminal:
    """A program in a pseudo-terminal."""

    def __init__(self, descriptor: int, pid: int) -> None:
        self._descriptor = descriptor
        self._pid = pid
        self._seen = 0
        self.output = ""

    def expect(self, text: str) -> None:
        """Wait until the program prints this text, after all text expected before."""
        deadline = time.monotonic() + SECONDS
        while (found := self.text().find(text, self._seen)) < 0:
            if time.monotonic() > deadline or not self._read():
                pytest.fail(f"{text!r} was not printed after:\n{self.text()[self._seen :]}")
        self._seen = found + len(text)

    def type(self, keys: str) -> None:
        """Send keys to the program."""
        os.write(self._descriptor, keys.encode())

    def answer(self, question: str, keys: str = "") -> None:
        """Wait for a question, then send the keys and Enter."""
        self.expect(question)
        self.type(keys + ENTER)

    def wait(self) -> int:
        """Read until the program ends; return its exit code."""
        while self._read():
            pass
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def text(self) -> str:
        """Return the output so far, without control sequences."""
        return CONTROL.sub("", self.output)

    def close(self) -> None:
        """Kill the program if it still runs."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._descriptor)

    def _read(self) -> bool:
        if not select.select([self._descriptor], [], [], 1)[0]:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:
            # Linux reports the end of the program as an error.
            return False
        self.output += data.decode(errors="replace")
        return bool(data)


@contextmanager
def terminal(*command: str | Path, cwd: Path, **variables: str) -> Iterator[Terminal]:
    """Start a program in a pseudo-terminal."""
    # PROMPT_TOOLKIT_NO_CPR: this terminal does not respond to cursor position requests.
    variables = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **variables}
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execvpe(str(command[0]), [str(word) for word in command], environment(**variables))  # noqa: S606
    ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    started = Terminal(descriptor, pid)
    try:
        yield started
    finally:
        started.close()
