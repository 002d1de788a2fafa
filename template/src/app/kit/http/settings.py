"""The settings of what the service takes from clients (`HTTP_…`)."""

import re
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import NoDecode

# What a browser sends: scheme and host, and no slash at the end.
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?")
_HOST = re.compile(r"(\*\.)?[a-z0-9.-]+|\[[0-9a-f:]+\]")
ANY = "*"


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


# NoDecode: in the environment a list is its parts and commas, not JSON.
Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class HttpSettings(BaseModel):
    """How much the service takes at once, for how long, and from where. All times in seconds."""

    # Requests at work at the same time; as many as there are connections unless set.
    concurrency: int | None = Field(default=None, ge=1, le=10_000)
    # Until one that has to wait for its turn is answered 503.
    wait_limit: float = Field(default=5, gt=0, le=300)
    # Until the answer begins, the time to send the request included: longer than a statement may
    # take, or a slow one is not told from a slow request.
    time_limit: float = Field(default=60, gt=0, le=86_400)
    # Bytes. A thousand of the widest products are 3 MB.
    body_limit: int = Field(default=5_000_000, ge=1_000, le=1_000_000_000)
    # Values in a JSON body, objects and lists included: each takes time and memory to parse and
    # to validate. A thousand rows of fifty fields.
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
                    f"entry {place} is no origin: scheme and host in small letters, no path, as in "
                    "https://shop.example.org"
                )
        return origins

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for place, host in enumerate(hosts, 1):
            if host != ANY and not _HOST.fullmatch(host):
                raise ValueError(
                    f"entry {place} is no host: a name in small letters, without scheme and port, "
                    "as in api.example.org or *.example.org"
                )
        return hosts

    @model_validator(mode="after")
    def _lets_no_stranger_act_for_a_user(self) -> Self:
        if self.credentials and ANY in self.origins:
            raise ValueError("CREDENTIALS need HTTP_ORIGINS to name each origin, not *")
        return self
