"""FastAPI's private class of a request parameter: the kit replaces it to validate strictly.

No public interface of FastAPI changes how parameters are validated. All that the kit uses of the
class is here; `tests/kit/test_strict_routes.py` fails where a version of FastAPI differs.
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
    """A parameter that shows the schema by which FastAPI validates it."""

    @property
    def core_schema(self) -> CoreSchema:
        """Return the schema of Pydantic's core."""
        schema: CoreSchema = self._type_adapter.core_schema
        return schema


def find_differences(field: Any) -> list[str]:
    """Return what the class of a parameter lacks of what the kit uses."""
    validate = getattr(field, "validate", None)
    taken = list(inspect.signature(validate).parameters) if validate else []
    found = [] if taken == ["value", "values", "loc"] else [f"validate({', '.join(taken)})"]
    schema = getattr(getattr(field, "_type_adapter", None), "core_schema", None)
    found += [] if isinstance(schema, dict) else ["_type_adapter.core_schema"]
    return found + [name for name in ("field_info", "name", "alias") if not hasattr(field, name)]
