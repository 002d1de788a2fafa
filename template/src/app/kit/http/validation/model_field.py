"""FastAPI's private class of a request parameter, which the kit replaces for strict validation.

FastAPI has no public interface for the validation of parameters. Only this module uses the private
class and its helpers. `tests/architecture/test_strict_routes.py` fails if FastAPI changes it.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import CoreSchema

try:
    from fastapi._compat import ModelField, field_annotation_is_sequence, get_cached_model_fields
    from fastapi.dependencies import utils

    solve_generator: Callable[..., Awaitable[Any]] = utils._solve_generator  # pyright: ignore[reportPrivateUsage] - there is no public one
except (AttributeError, ImportError) as error:
    raise ImportError(
        "This version of FastAPI has no fastapi._compat.ModelField, on which app.kit.http depends: "
        "install the version of FastAPI that uv.lock had before, and update the template"
    ) from error

__all__ = [
    "ModelField",
    "ReplacedField",
    "Unsupported",
    "find_differences",
    "is_plain_model",
    "plain_alias",
    "solve_generator",
]


class Unsupported(Exception):
    """FastAPI must handle an endpoint or a request."""


class ReplacedField(ModelField):
    """A parameter with access to its core schema."""

    @property
    def core_schema(self) -> CoreSchema:
        """Return the core schema with which FastAPI validates the parameter."""
        schema: CoreSchema = self._type_adapter.core_schema
        return schema


def is_plain_model(field: ModelField) -> bool:
    """Return whether a query parameter is a model, each of whose fields has one name and value."""
    model = field.field_info.annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return False
    for each in get_cached_model_fields(model):
        plain_alias(each)
    return True


def plain_alias(field: ModelField) -> str:
    """Return the only name of a parameter with one value. Raises Unsupported for others."""
    info, config = field.field_info, field.config or {}
    types = (info.annotation, *get_args(info.annotation))
    alias = info.validation_alias or field.alias
    if (
        not isinstance(alias, str)
        or info.validate_default
        or config.get("populate_by_name")
        or config.get("validate_by_name")
        or config.get("validate_by_alias") is False
        or field_annotation_is_sequence(info.annotation)
        or any(isinstance(each, type) and issubclass(each, BaseModel) for each in types)
    ):
        raise Unsupported
    return alias


def find_differences(field: Any) -> list[str]:
    """Return the attributes that the kit uses and this parameter lacks."""
    validate = getattr(field, "validate", None)
    taken = list(inspect.signature(validate).parameters) if validate else []
    found = [] if taken == ["value", "values", "loc"] else [f"validate({', '.join(taken)})"]
    schema = getattr(getattr(field, "_type_adapter", None), "core_schema", None)
    found += [] if isinstance(schema, dict) else ["_type_adapter.core_schema"]
    return found + [name for name in ("field_info", "name", "alias") if not hasattr(field, name)]
