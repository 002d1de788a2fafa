"""Fields added to a feature: lines inserted into its model, its schemas and other files."""

import ast
from collections.abc import Sequence

from sqlalchemy import inspect

from app.kit.cli.errors import CommandFailed
from scaffold import service
from scaffold.added_queries import in_repository, in_service
from scaffold.added_tests import in_tests
from scaffold.checks import check_indexes, check_references
from scaffold.editing import Edits
from scaffold.feature import Feature, Options
from scaffold.grammar import Field
from scaffold.kinds import Column
from scaffold.names import class_name, with_article
from scaffold.ownership import owners
from scaffold.rendering import finish_edit, part
from scaffold.service import Target, mappers
from scaffold.writing import read

# Fields that stay at the end of a response.
_LAST = ("version", "created_at", "updated_at")


def add_fields(
    model: str, fields: Sequence[Field], *, no_rows: bool = False
) -> tuple[dict[str, str], str]:
    """Return the edited files by path, and the path of the test.

    Raises CommandFailed, with one sentence, if a field cannot be added or a file has been
    restructured.
    """
    target = _target(model)
    for each in fields:
        _check(each, target, no_rows=no_rows)
    if len({each.name for each in fields}) < len(fields):
        raise CommandFailed("Two of the fields have the same name.")
    folder = f"src/{target.module.rpartition('.')[0].replace('.', '/')}"
    models = Edits(f"{folder}/models.py", read(f"{folder}/models.py"))
    schemas = Edits(f"{folder}/schemas.py", read(f"{folder}/schemas.py"))
    is_record = "Model" not in map(ast.unparse, models.class_(target.cls).bases)
    writes = any(schemas.find_class(f"{target.cls}{end}") for end in ("Create", "Changes"))
    options = Options(target.table, hard_delete=is_record, read_only=not writes)
    feature = Feature(target.name, fields, options, existing=target)
    check_references(feature)
    check_indexes(feature)
    _edit_model(models, feature, target)
    _edit_schemas(schemas, feature)
    files = {models.path: models.result(), schemas.path: schemas.result()}
    if feature.refs or feature.filters:
        files |= in_repository(f"{folder}/repository.py", feature)
    if feature.has_service:
        files |= in_service(folder, feature)
    test = f"tests/features/test_{feature.package.rpartition('.')[2]}.py"
    files |= in_tests(test, feature)
    edited = {path: finish_edit(path, text, feature) for path, text in files.items()}
    return edited | owners(feature), test


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


def _check(field: Field, target: Target, *, no_rows: bool) -> None:
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
    model = edits.class_(feature.cls)
    fields = edits.fields(model)
    columns = [each for name, each in fields.items() if _is_column(name, each)]
    if not columns:
        raise edits.restructured(f"{feature.cls} has no mapped column")
    for ref in feature.refs:
        edits.after(columns[-1], part("foreign_key", feature, ref))
    for column in feature.columns:
        edits.after(columns[-1], f"    {column.mapped_in(feature.base)}")
        if column.field.kind == "enum":
            edits.before(model, _enum(column))
    relationships = [part("relationship", feature, each) for each in feature.refs]
    if relationships:
        is_first = not fields.keys() & inspect(target.model).relationships.keys()
        heading = "\n" if is_first else ""
        edits.after([*fields.values()][-1], heading + "\n".join(relationships))
    _name_foreign_keys(edits, fields, feature, target)
    _edit_indexes(edits, model, feature)


def _name_foreign_keys(
    edits: Edits, fields: dict[str, ast.AnnAssign], feature: Feature, target: Target
) -> None:
    """Name the column of each relationship to a table that has two foreign keys now."""
    tables = {each.target.table if each.target else feature.plural for each in feature.refs}
    for name, relationship in inspect(target.model).relationships.items():
        if relationship.secondary is not None or relationship.target.description not in tables:
            continue
        call = fields[name].value if name in fields else None
        if not isinstance(call, ast.Call) or relationship.back_populates:
            raise edits.restructured(f"{feature.cls}.{name} does not name its foreign key")
        if "foreign_keys" in [each.arg for each in call.keywords]:
            continue
        (column,) = relationship.local_columns
        edits.last_argument(call, f"foreign_keys=[{column.key}]")


def _is_column(name: str, node: ast.AnnAssign) -> bool:
    is_relation = (
        isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "relationship"
    )
    return name != "version" and ast.unparse(node.annotation)[:7] == "Mapped[" and not is_relation


def _edit_indexes(edits: Edits, model: ast.ClassDef, feature: Feature) -> None:
    unique = feature.unique if feature.base == "Model" else []
    refs = [each.key for each in feature.refs if not each.field.unique]
    if not unique and not refs:
        return
    arguments = edits.assigned(model.body, "__table_args__")
    if not isinstance(arguments, ast.Tuple) or not arguments.elts:
        raise edits.restructured(f"{feature.cls} has no tuple __table_args__")
    for name in unique:
        edits.first_item(arguments, f'unique_when_not_deleted("{name}")')
    for key in refs:
        edits.last_item(arguments.elts, f'Index(None, "{key}", "created_at", "id")')


def _enum(column: Column) -> str:
    members = "\n".join(f'    {each.upper()} = "{each}"' for each in column.field.members)
    heading = f'    """The {column.words} of {with_article(column.owner)}."""'
    return f"class {column.cls}(StrEnum):\n{heading}\n\n{members}\n\n"


def _edit_schemas(edits: Edits, feature: Feature) -> None:
    shown = edits.class_(f"{feature.cls}Out")
    if not feature.options.read_only:
        create = edits.class_(f"{feature.cls}Create")
        changes = edits.class_(f"{feature.cls}Changes")
        for column in feature.columns:
            if column.is_named:
                edits.after_assignments(create, f"{column.cls} = {column.named}")
            edits.append_field(create, column.name, f"    {column.created}")
            edits.append_field(changes, column.name, f"    {column.changed}")
        for ref in feature.refs:
            edits.append_field(create, ref.key, part("created", ref))
            edits.append_field(changes, ref.key, part("changed", ref))
    query = edits.find_class(f"{feature.cls}Query")
    for name, kind in feature.filtered.items():
        if query:
            edits.append_field(query, name, f"    {name}: {kind} | None = None")
    for ref in feature.refs:
        edits.before(shown, f"{part('referred_schema', feature, ref)}\n\n")
        edits.append_field(shown, ref.key, part("shown", ref), before=_LAST)
    for column in feature.columns:
        line = f"    {column.name}: {column.shown}"
        edits.append_field(shown, column.name, line, before=_LAST)
