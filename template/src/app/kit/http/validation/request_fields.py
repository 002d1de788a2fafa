"""Validation of request parameters with the core schemas of `strict_schemas`."""

from collections.abc import Callable, Iterator
from copy import copy
from functools import cached_property
from typing import Any, cast

from fastapi import params
from fastapi.dependencies.models import Dependant
from pydantic import ValidationError
from pydantic_core import SchemaValidator
from starlette.datastructures import UploadFile

from app.kit.http.validation import strict_schemas
from app.kit.http.validation.limits import SHORT, new_budget
from app.kit.http.validation.model_field import ModelField, ReplacedField

Validated = tuple[Any, list[dict[str, Any]]]
Location = tuple[int | str, ...]
# Type of the error entry that has the number of unlisted errors.
UNLISTED = "unlisted_errors"


class RequestField(ReplacedField):
    """A parameter in a path, query, header, cookie or form, validated leniently."""

    def validate(
        self,
        value: Any,
        values: dict[str, Any] = {},  # noqa: B006, FastAPI's signature
        *,
        loc: Location = (),
    ) -> Validated:
        """Return the value or None, and its errors."""
        if errors := list(_nul_characters(value, loc)):
            return None, errors
        if not isinstance(value, str) or len(value) > SHORT:
            new_budget()
        return _validate(self._lenient, value, loc)

    @cached_property
    def _lenient(self) -> SchemaValidator:
        return self._compile(strict_schemas.for_parameters)

    def _compile(self, convert: Callable[[Any], Any]) -> SchemaValidator:
        # With prebuilt validators, Pydantic would use the original schemas of nested models.
        return SchemaValidator(convert(self.core_schema), _use_prebuilt=False)


class JsonField(RequestField):
    """A JSON body or a field of one, validated strictly."""

    def validate(
        self,
        value: Any,
        values: dict[str, Any] = {},  # noqa: B006, FastAPI's signature
        *,
        loc: Location = (),
    ) -> Validated:
        """Return the value or None, and its first errors with the number of further errors."""
        new_budget()
        if isinstance(value, bytes):
            # The content type is not JSON.
            return _validate(self._lenient, value, loc)
        try:
            return self._strict.validate_python(value, from_attributes=True), []
        except ValidationError:
            pass
        budget = new_budget()
        validated, errors = _validate(self._explaining, value, loc)
        if budget.dropped:
            errors.append(
                {"type": UNLISTED, "loc": loc, "msg": "", "ctx": {"count": budget.dropped}}
            )
        return validated, errors

    @cached_property
    def _strict(self) -> SchemaValidator:
        return self._compile(strict_schemas.for_json)

    @cached_property
    def _explaining(self) -> SchemaValidator:
        return self._compile(strict_schemas.for_errors)


def prepare(dependant: Dependant) -> None:
    """Replace the fields of an endpoint and its dependencies."""
    for fields in (
        dependant.path_params,
        dependant.query_params,
        dependant.header_params,
        dependant.cookie_params,
        dependant.body_params,
    ):
        fields[:] = [_replaced(field) for field in fields]
    for part in dependant.dependencies:
        prepare(part)


def _replaced(field: ModelField) -> ModelField:
    is_json = isinstance(field.field_info, params.Body) and not isinstance(
        field.field_info, params.Form
    )
    replaced = copy(field)
    replaced.__class__ = JsonField if is_json else RequestField
    return replaced


def _validate(validator: SchemaValidator, value: Any, loc: Location) -> Validated:
    try:
        return validator.validate_python(value, from_attributes=True), []
    except ValidationError as error:
        # The input may be large or a secret.
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return None, [{**each, "loc": (*loc, *each["loc"])} for each in found]


def _nul_characters(value: Any, loc: Location) -> Iterator[dict[str, Any]]:
    match value:
        case str():
            if "\x00" in value:
                message = "must not contain the NUL character"
                yield {"type": "nul_character", "loc": loc, "msg": message}
        case UploadFile():
            yield from _nul_characters(value.filename, (*loc, "filename"))
        case list():
            for index, item in enumerate(cast("list[object]", value)):
                yield from _nul_characters(item, (*loc, index))
        case dict():
            for key, item in cast("dict[str, object]", value).items():
                yield from _nul_characters(item, (*loc, key))
        case _:
            pass
