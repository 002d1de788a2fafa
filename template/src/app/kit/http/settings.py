"""Settings of requests, hosts and origins (`HTTP_…`)."""

import re
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import NoDecode

# As in a browser's `Origin` header: scheme and host, without a slash at the end.
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?")
_HOST = re.compile(r"(\*\.)?[a-z0-9.-]+|\[[0-9a-f:]+\]")
ANY = "*"


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


# NoDecode: in the environment, a list is separated by commas instead of JSON.
Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class HttpSettings(BaseModel):
    """Limits of requests, hosts and origins. All times are in seconds."""

    # Concurrent requests. Default: the size of one connection pool.
    concurrency: int | None = Field(default=None, ge=1, le=10_000)
    # Time in the queue before a 503 response.
    wait_limit: float = Field(default=5, gt=0, le=300)
    # Time from the headers of the request to the start of the response. Longer than the statement
    # timeout, so that a slow statement fails with its own error.
    time_limit: float = Field(default=60, gt=0, le=86_400)
    # Bytes. 1,000 of the largest products of the example are 3 MB.
    body_limit: int = Field(default=5_000_000, ge=1_000, le=1_000_000_000)
    # Values in a JSON body, counting objects and lists: enough for 1,000 rows of 50 fields. Each
    # value takes time and memory to parse and validate.
    body_values: int = Field(default=50_000, ge=100, le=10_000_000)

    origins: Listed = ()
    credentials: bool = False
    hosts: Listed = ()
    hsts: int = Field(default=0, ge=0, le=63_072_000)

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for place, origin in enumerate(origins, 1):
            if origin != ANY and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"entry {place} is not an origin: use scheme and host in lower case, without "
                    "path, as in https://shop.example.org"
                )
        return origins

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for place, host in enumerate(hosts, 1):
            if host != ANY and not _HOST.fullmatch(host):
                raise ValueError(
                    f"entry {place} is not a host: use a name in lower case, without scheme and "
                    "port, as in api.example.org or *.example.org"
                )
        return hosts

    @model_validator(mode="after")
    def _credentials_need_explicit_origins(self) -> Self:
        if self.credentials and ANY in self.origins:
            raise ValueError(
                "HTTP_CREDENTIALS requires HTTP_ORIGINS to list each origin instead of *"
            )
        return self
