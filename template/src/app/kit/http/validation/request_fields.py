"""Validation of request parameters with the core schemas of `strict_schemas`.

FastAPI has no public interface for the validation of parameters. Only this module uses its private
class of a parameter. `tests/architecture/test_strict_routes.py` fails if FastAPI changes it.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy
from functools import cached_property, partial
from typing import Any, get_args

from fastapi import params
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator

from app.kit.http.validation import strict_schemas
from app.kit.http.validation.json_body import Location, find_unstorable
from app.kit.http.validation.value_checks import new_budget

try:
    from fastapi._compat import ModelField, field_annotation_is_sequence, get_cached_model_fields
    from fastapi.dependencies import utils

    solve_generator: Callable[..., Awaitable[Any]] = utils._solve_generator  # pyright: ignore[reportPrivateUsage] - there is no public one
except (AttributeError, ImportError) as error:
    raise ImportError(
        "This version of FastAPI has no fastapi._compat.ModelField, on which app.kit.http depends: "
        "install the version of FastAPI that uv.lock had before, and update the template"
    ) from error

Errors = list[dict[str, Any]]
Validated = tuple[Any, Errors]


class Unsupported(Exception):
    """FastAPI must handle an endpoint or a request."""


class RequestField(ModelField):
    """A parameter in a path, query, header, cookie or form, validated leniently."""

    def validate(self, value: Any, values: Any = None, *, loc: Location = ()) -> Validated:
        """Return the value or None, and its errors."""
        errors: Errors = [
            {"type": "unstorable_text", "loc": location, "msg": message}
            for location, message in find_unstorable(value, loc)
        ]
        return (None, errors) if errors else _validate(self._lenient, value, loc)

    @cached_property
    def _lenient(self) -> SchemaValidator:
        return self._compile(strict_schemas.for_parameters)

    def _compile(self, convert: Callable[[Any], Any]) -> SchemaValidator:
        # With prebuilt validators, Pydantic would use the original schemas of nested models.
        return SchemaValidator(convert(self._type_adapter.core_schema), _use_prebuilt=False)


class JsonField(RequestField):
    """A JSON body or a field of one, validated strictly."""

    def validate(self, value: Any, values: Any = None, *, loc: Location = ()) -> Validated:
        """Return the value or None, and its errors, up to a limit."""
        if isinstance(value, bytes):
            # The content type is not JSON.
            return _validate(self._lenient, value, loc)
        new_budget()
        try:
            # An `ExactFloat` has attributes, but it is not an object.
            return self._fail_fast.validate_python(value, from_attributes=False), []
        except ValidationError as error:
            errors: Errors = []
            # Only to report more errors. If a validator of a model has changed its input, it may
            # now accept the input, or fail.
            with suppress(Exception):
                _, errors = _validate(self._reporting, value, loc)
            return None, errors or _described(error, loc)

    @cached_property
    def _fail_fast(self) -> SchemaValidator:
        return self._compile(partial(strict_schemas.for_json, fail_fast=True))

    @cached_property
    def _reporting(self) -> SchemaValidator:
        return self._compile(partial(strict_schemas.for_json, fail_fast=False))


def replace_fields(dependant: Dependant) -> None:
    """Make each parameter of an endpoint and its dependencies a RequestField or a JsonField."""
    for fields in (
        dependant.path_params,
        dependant.query_params,
        dependant.header_params,
        dependant.cookie_params,
        dependant.body_params,
    ):
        fields[:] = [_replaced(field) for field in fields]
    for part in dependant.dependencies:
        replace_fields(part)


def is_plain_model(field: ModelField) -> bool:
    """Return whether a parameter is a model. Raises Unsupported for fields that are not plain."""
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


def _replaced(field: ModelField) -> ModelField:
    is_json = isinstance(field.field_info, params.Body) and not isinstance(
        field.field_info, params.Form
    )
    replaced = copy(field)
    replaced.__class__ = JsonField if is_json else RequestField
    return replaced


def _validate(validator: SchemaValidator, value: Any, loc: Location) -> Validated:
    new_budget()
    try:
        return validator.validate_python(value, from_attributes=False), []
    except ValidationError as error:
        return None, _described(error, loc)


def _described(error: ValidationError, loc: Location) -> Errors:
    # The input may be large or a secret.
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [{**each, "loc": (*loc, *each["loc"])} for each in found]
