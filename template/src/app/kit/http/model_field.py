"""FastAPI's private class of a request parameter, which the kit replaces for strict validation.

FastAPI has no public interface for the validation of parameters. Only this module uses the private
class. `tests/architecture/test_strict_routes.py` fails if FastAPI changes it.
"""

import inspect
from typing import Any

from pydantic_core import CoreSchema

try:
    from fastapi._compat import ModelField
except ImportError as error:
    raise ImportError(
        "This version of FastAPI has no fastapi._compat.ModelField, on which app.kit.http depends: "
        "install the version of FastAPI that uv.lock had before, and update the template"
    ) from error

__all__ = ["ModelField", "ReplacedField", "find_differences"]


class ReplacedField(ModelField):
    """A parameter with access to its core schema."""

    @property
    def core_schema(self) -> CoreSchema:
        """Return the core schema with which FastAPI validates the parameter."""
        schema: CoreSchema = self._type_adapter.core_schema
        return schema


def find_differences(field: Any) -> list[str]:
    """Return the attributes that the kit uses and this parameter lacks."""
    validate = getattr(field, "validate", None)
    taken = list(inspect.signature(validate).parameters) if validate else []
    found = [] if taken == ["value", "values", "loc"] else [f"validate({', '.join(taken)})"]
    schema = getattr(getattr(field, "_type_adapter", None), "core_schema", None)
    found += [] if isinstance(schema, dict) else ["_type_adapter.core_schema"]
    return found + [name for name in ("field_info", "name", "alias") if not hasattr(field, name)]
