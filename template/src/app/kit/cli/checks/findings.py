"""Findings of `doctor`."""

from enum import StrEnum
from typing import NamedTuple


class CheckStatus(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


class Finding(NamedTuple):
    """The result of one check, with advice unless it is ok. It contains no secret."""

    state: CheckStatus
    about: str
    found: str
    advice: str = ""


def ok(about: str, found: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(CheckStatus.OK, about, found)


def warning(about: str, found: str, advice: str) -> Finding:
    """Return a finding for a problem that may cause a failure later."""
    return Finding(CheckStatus.WARNING, about, found, advice)


def failure(about: str, found: str, advice: str) -> Finding:
    """Return a finding for a problem that stops the service."""
    return Finding(CheckStatus.FAILURE, about, found, advice)
