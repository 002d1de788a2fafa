"""Environment variables of settings, and detection of unknown variables."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

Location = tuple[int | str, ...]

# Variables that platforms set for a server called `database`, such as DATABASE_SERVICE_HOST
# (Kubernetes), DATABASE_PORT_5432_TCP_ADDR (Docker) or DATABASE_URL_UNPOOLED; and HTTP_PROXY.
_FOREIGN = re.compile(
    r"(^|_)(url|uri|dsn|host|hostname|port|user|username|name|proxy|service|tcp|udp|env)(_|$)"
)


class EnvironmentSource(EnvSettingsSource):
    """Reads the environment. Validation, not this source, reports values that are not JSON."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Decode JSON, or return the text if it is not JSON."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class FileSource(EnvironmentSource, DotEnvSettingsSource):
    """Reads `.env` in the same way."""


def groups_of(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Return the fields that are groups of settings: `database` reads `DATABASE_…`."""
    annotations = {name: field.annotation for name, field in model.model_fields.items()}
    return {
        name: group
        for name, group in annotations.items()
        if isinstance(group, type) and issubclass(group, BaseModel)
    }


def variables_of(model: type[BaseModel]) -> list[str]:
    """Return the names of all environment variables that a settings class reads."""
    groups = groups_of(model)
    single = [name for name in _names_of(model) if name not in groups]
    nested = [f"{prefix}_{name}" for prefix, group in groups.items() for name in _names_of(group)]
    return [name.upper() for name in (*single, *nested)]


def variable_of(model: type[BaseModel], location: Location) -> tuple[str, str]:
    """Return the variable for the location of a validation error, and the path in its value."""
    depth = 2 if location and location[0] in groups_of(model) else 1
    names, path = location[:depth], location[depth:]
    return "_".join(map(str, names)).upper(), ".".join(map(str, path))


def unknown_variables(
    model: type[BaseModel], values: dict[str, Any], ignored: frozenset[str]
) -> Iterator[tuple[Location, str]]:
    """Yield the location of each unknown variable, and an error message.

    `values` has the environment variables with the prefix of a group, and all variables in `.env`.
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
        # Other programs also read `.env`, so report only names that are similar to a setting.
        elif name.lower() not in _names_of(model) and (
            near := get_close_matches(name.upper(), variables_of(model), 1, cutoff=0.85)
        ):
            yield (name,), _message(near)


def _message(near: list[str]) -> str:
    if near:
        return f"is not a setting: did you mean {near[0]}?"
    return "is not a setting: remove it, or add it to `ignored_variables` in app.settings"


def _names_of(model: type[BaseModel]) -> set[str]:
    """Return the names and aliases of a model's fields in lower case."""
    aliases = (field.validation_alias for field in model.model_fields.values())
    return {name.lower() for name in (*model.model_fields, *aliases) if isinstance(name, str)}
