"""Adds fields to a feature: edits its model, its schemas, its other modules and its tests."""

import ast
from collections.abc import Sequence

from sqlalchemy import inspect

from app.kit.cli.errors import CommandFailed
from scaffold import service
from scaffold.added_queries import add_filters, add_reference_checks
from scaffold.added_tests import add_to_tests
from scaffold.cascades import edit_owners
from scaffold.checks import check_indexes, check_references
from scaffold.column import Column
from scaffold.editing import Edits
from scaffold.feature import Feature, Options
from scaffold.file_changes import read
from scaffold.grammar import Field
from scaffold.names import class_name, with_article
from scaffold.rendering import finish_edit, render_macro
from scaffold.service import Target, mappers

# New fields of a response go before these.
_TRAILING_FIELDS = ("version", "created_at", "updated_at")


def add_fields(
    model: str, fields: Sequence[Field], *, no_rows: bool = False
) -> tuple[dict[str, str], str]:
    """Return the edited files by path, and the path of the feature's test.

    Raises CommandFailed if a field cannot be added, or if a file has been restructured.
    """
    target = _target(model)
    for each in fields:
        _check_field(each, target, no_rows=no_rows)
    if len({each.name for each in fields}) < len(fields):
        raise CommandFailed("Two of the fields have the same name.")
    folder = f"src/{target.module.rpartition('.')[0].replace('.', '/')}"
    models = Edits(f"{folder}/models.py", read(f"{folder}/models.py"))
    schemas = Edits(f"{folder}/schemas.py", read(f"{folder}/schemas.py"))
    is_hard_deleted = "Model" not in map(ast.unparse, models.get_class(target.cls).bases)
    has_write_endpoints = any(
        schemas.find_class(f"{target.cls}{end}") for end in ("Create", "Changes")
    )
    options = Options(target.table, hard_delete=is_hard_deleted, read_only=not has_write_endpoints)
    feature = Feature(target.name, fields, options, existing_model=target)
    check_references(feature)
    check_indexes(feature)
    _edit_model(models, feature, target)
    _edit_schemas(schemas, feature)
    files = {models.path: models.result(), schemas.path: schemas.result()}
    if feature.to_one or feature.filter_columns:
        files |= add_filters(f"{folder}/repository.py", feature)
    if feature.has_service:
        files |= add_reference_checks(folder, feature)
    test = f"tests/features/test_{feature.package.rpartition('.')[2]}.py"
    files |= add_to_tests(test, feature)
    edited = {path: finish_edit(path, text, feature) for path, text in files.items()}
    return edited | edit_owners(feature), test


def _target(model: str) -> Target:
    for mapper in mappers():
        target = Target(mapper.class_)
        if target.name == model and target.module.startswith("app.features."):
            if target.module.endswith(".models"):
                return target
            raise CommandFailed(
                f"{target.cls} is not in a models.py, so scaffold cannot add to it."
            )
    raise CommandFailed(
        f"There is no feature with the model {class_name(model)} in src/app/features."
    )


def _check_field(field: Field, target: Target, *, no_rows: bool) -> None:
    if field.kind == "many":
        raise CommandFailed(
            f"`{field.name}`: scaffold adds no `many` to a feature that exists: scaffold a model "
            "with two references instead."
        )
    for name in (field.name, f"{field.name}_id"):
        if hasattr(target.model, name) and (name == field.name or field.is_relationship):
            raise CommandFailed(f"{target.cls} has an attribute `{name}` already.")
    if not (field.optional or no_rows or field.default is not None or field.existing is not None):
        values = "" if field.is_relationship else ", `default=VALUE` or `existing=VALUE`"
        raise CommandFailed(
            f"`{field.name}`: existing rows need a value: write `optional`{values}, or pass "
            "--no-rows if the table is empty in every database."
        )
    enum = f"{target.name}_{field.name}"
    if field.kind == "enum" and enum in service.table_names():
        raise CommandFailed(f"There is a table or type `{enum}` already: choose another name.")


def _edit_model(edits: Edits, feature: Feature, target: Target) -> None:
    model = edits.get_class(feature.cls)
    fields = edits.fields(model)
    columns = [each for name, each in fields.items() if _is_column(name, each)]
    if not columns:
        raise edits.restructured_error(f"{feature.cls} has no mapped column")
    for ref in feature.to_one:
        edits.insert_after(columns[-1], render_macro("foreign_key", feature, ref))
    for column in feature.columns:
        edits.insert_after(columns[-1], f"    {column.mapped_attribute(feature.base)}")
        if column.field.kind == "enum":
            edits.insert_before(model, _enum_class(column))
    relationships = [render_macro("relationship", feature, each) for each in feature.to_one]
    if relationships:
        is_first = not fields.keys() & inspect(target.model).relationships.keys()
        heading = "\n" if is_first else ""
        edits.insert_after([*fields.values()][-1], heading + "\n".join(relationships))
    _disambiguate_relationships(edits, fields, feature, target)
    _edit_indexes(edits, model, feature)


def _disambiguate_relationships(
    edits: Edits, fields: dict[str, ast.AnnAssign], feature: Feature, target: Target
) -> None:
    """Add `foreign_keys` to each relationship to a table that gets a second foreign key."""
    tables = {each.target.table if each.target else feature.plural for each in feature.to_one}
    for name, relationship in inspect(target.model).relationships.items():
        if relationship.secondary is not None or relationship.target.description not in tables:
            continue
        call = fields[name].value if name in fields else None
        if not isinstance(call, ast.Call) or relationship.back_populates:
            raise edits.restructured_error(f"{feature.cls}.{name} does not name its foreign key")
        if "foreign_keys" in [each.arg for each in call.keywords]:
            continue
        if len(relationship.local_columns) > 1:
            raise edits.restructured_error(f"{feature.cls}.{name} has a composite foreign key")
        (column,) = relationship.local_columns
        edits.append_arguments(call, f"foreign_keys=[{column.key}]")


def _is_column(name: str, node: ast.AnnAssign) -> bool:
    is_relationship = (
        isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "relationship"
    )
    return (
        name != "version" and ast.unparse(node.annotation)[:7] == "Mapped[" and not is_relationship
    )


def _edit_indexes(edits: Edits, model: ast.ClassDef, feature: Feature) -> None:
    unique = feature.unique_columns if feature.base == "Model" else []
    if not unique and not feature.indexed_keys:
        return
    arguments = edits.find_assignment(model.body, "__table_args__")
    if not isinstance(arguments, ast.Tuple) or not arguments.elts:
        raise edits.restructured_error(f"{feature.cls} has no tuple __table_args__")
    for name in unique:
        edits.prepend_item(arguments, f'unique_when_not_deleted("{name}")')
    for key in feature.indexed_keys:
        edits.append_item(arguments.elts, f'Index(None, "{key}", "created_at", "id")')


def _enum_class(column: Column) -> str:
    members = "\n".join(f'    {each.upper()} = "{each}"' for each in column.field.members)
    heading = f'    """The {column.words} of {with_article(column.owner)}."""'
    return f"class {column.cls}(StrEnum):\n{heading}\n\n{members}\n\n"


def _edit_schemas(edits: Edits, feature: Feature) -> None:
    response = edits.get_class(f"{feature.cls}Out")
    if not feature.options.read_only:
        create = edits.get_class(f"{feature.cls}Create")
        changes = edits.get_class(f"{feature.cls}Changes")
        for column in feature.columns:
            if column.has_schema_type:
                edits.insert_after_assignments(create, f"{column.cls} = {column.schema_type}")
            edits.append_field(create, column.name, f"    {column.create_field}")
            edits.append_field(changes, column.name, f"    {column.update_field}")
        for ref in feature.to_one:
            edits.append_field(create, ref.key, render_macro("created", ref))
            edits.append_field(changes, ref.key, render_macro("changed", ref))
    query = edits.find_class(f"{feature.cls}Query")
    for name, kind in feature.filter_parameters.items():
        if query:
            edits.append_field(query, name, f"    {name}: {kind} | None = None")
    for ref in feature.to_one:
        edits.insert_before(response, f"{render_macro('referred_schema', feature, ref)}\n\n")
        edits.append_field(response, ref.key, render_macro("shown", ref), before=_TRAILING_FIELDS)
    for column in feature.columns:
        line = f"    {column.name}: {column.response_annotation}"
        edits.append_field(response, column.name, line, before=_TRAILING_FIELDS)
