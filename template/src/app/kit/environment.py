"""Environment variables: which setting each one is, and which ones are no setting."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

Location = tuple[int | str, ...]

# Kubernetes, Docker and hosting platforms set such names for a server called `database`:
# DATABASE_PORT_5432_TCP_ADDR, DATABASE_SERVICE_HOST, DATABASE_URL_UNPOOLED; and HTTP_PROXY.
_FOREIGN = re.compile(
    r"(^|_)(url|uri|dsn|host|hostname|port|user|username|name|proxy|service|tcp|udp|env)(_|$)"
)


class EnvironmentSource(EnvSettingsSource):
    """Reads the environment; a list or group that is not JSON is left to the validation."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Decode JSON, or return the text."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class FileSource(EnvironmentSource, DotEnvSettingsSource):
    """Reads `.env` in the same way."""


def groups_of(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The fields that are a group of settings: `database` reads `DATABASE_…`."""
    kinds = {name: field.annotation for name, field in model.model_fields.items()}
    return {
        name: kind
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, BaseModel)
    }


def variables_of(model: type[BaseModel]) -> list[str]:
    """The names of all environment variables that a settings class reads."""
    groups = groups_of(model)
    single = [name for name in _names_of(model) if name not in groups]
    nested = [f"{group}_{name}" for group, kind in groups.items() for name in _names_of(kind)]
    return [name.upper() for name in (*single, *nested)]


def variable_of(model: type[BaseModel], location: Location) -> tuple[str, str]:
    """The variable of an error's location, and the path within its value."""
    depth = 2 if location and location[0] in groups_of(model) else 1
    names, path = location[:depth], location[depth:]
    return "_".join(map(str, names)).upper(), ".".join(map(str, path))


def unknown_variables(
    model: type[BaseModel], values: dict[str, Any], ignored: frozenset[str]
) -> Iterator[tuple[Location, str]]:
    """The locations of names that are no setting, and what is wrong with each.

    The values are those of the environment that begin with the name of a group, and all of `.env`.
    """
    groups = groups_of(model)
    for name, value in values.items():
        if name in groups and isinstance(value, dict):
            known = _names_of(groups[name])
            given = sorted({part.lower() for part in cast("dict[str, Any]", value)})
            for part in (part for part in given if part not in known):
                near = get_close_matches(part, known, 1, cutoff=0.8)
                if f"{name}_{part}".upper() in ignored or (not near and _FOREIGN.search(part)):
                    continue
                yield (name, part), _message([f"{name}_{right}".upper() for right in near])
        # Other programs read `.env` as well: only what is nearly a setting is wrong.
        elif name.lower() not in _names_of(model) and (
            near := get_close_matches(name.upper(), variables_of(model), 1, cutoff=0.85)
        ):
            yield (name,), _message(near)


def _message(near: list[str]) -> str:
    if near:
        return f"is not a setting, {near[0]} is"
    return "is not a setting: remove it, or add it to `ignored_variables` in app.settings"


def _names_of(model: type[BaseModel]) -> set[str]:
    """The lower-case names of a model's fields, aliases included."""
    aliases = (field.validation_alias for field in model.model_fields.values())
    return {name.lower() for name in (*model.model_fields, *aliases) if isinstance(name, str)}
