"""Fields added to a feature: lines inserted into its model, its schemas and its test."""

import ast
from collections.abc import Sequence

from app.kit.commands.errors import Refused
from scaffold import service
from scaffold.editing import Edits
from scaffold.grammar import Field
from scaffold.kinds import Column
from scaffold.names import class_name, with_article
from scaffold.rendering import finish_edit
from scaffold.service import Target, mappers
from scaffold.writing import read

# Fields that stay at the end of a response.
_LAST = ("version", "created_at", "updated_at")


def add_fields(model: str, fields: Sequence[Field]) -> tuple[dict[str, str], str]:
    """Return the edited files by path, and the path of the test.

    Raises Refused, with one sentence, if a field cannot be added or a file has been restructured.
    """
    target = _target(model)
    package = target.module.rpartition(".")[0]
    columns = [Column(each, model) for each in fields]
    for each in fields:
        _check(each, target)
    if len({each.name for each in fields}) < len(fields):
        raise Refused("Two of the fields have the same name.")
    folder = f"src/{package.replace('.', '/')}"
    test = f"tests/features/test_{package.rpartition('.')[2]}.py"
    enums = [each.cls for each in columns if each.field.kind == "enum"]
    modules = dict.fromkeys(enums, target.module)
    files = {f"{folder}/models.py": _in_model(f"{folder}/models.py", target.cls, columns)}
    schemas, has_requests = _in_schemas(f"{folder}/schemas.py", target.cls, columns)
    files[f"{folder}/schemas.py"] = schemas
    if has_requests:
        files[test] = _in_test(test, f"new_{model}", columns)
    return {
        path: finish_edit(path, text, {} if path.endswith("models.py") else modules)
        for path, text in files.items()
    }, test


def _target(model: str) -> Target:
    for mapper in mappers():
        target = Target(mapper.class_)
        if target.name == model and target.module.startswith("app.features."):
            if target.module.endswith(".models"):
                return target
            raise Refused(f"{target.cls} is not in a models.py, so scaffold cannot add to it.")
    raise Refused(f"There is no feature with the model {class_name(model)} in src/app/features.")


def _check(field: Field, target: Target) -> None:
    if field.is_relationship:
        raise Refused(
            f"`{field.name}`: scaffold adds no references to a feature that exists; "
            "docs/patterns.md shows how to write one."
        )
    if hasattr(target.model, field.name):
        raise Refused(f"{target.cls} has an attribute `{field.name}` already.")
    if not field.optional and field.default is None:
        raise Refused(
            f"`{field.name}`: existing rows need a value: write `optional`, or `default=VALUE`."
        )
    enum = f"{target.name}_{field.name}"
    if field.kind == "enum" and enum in service.table_names():
        raise Refused(f"There is a table or type `{enum}` already: choose another name.")


def _in_model(path: str, cls: str, columns: Sequence[Column]) -> str:
    edits = Edits(path, read(path))
    model = edits.class_(cls)
    bases = {each.id for each in model.bases if isinstance(each, ast.Name)}
    base = "Entity" if "Entity" in bases else "Record"
    last = [each for each in edits.fields(model) if _is_column(each)]
    if not last:
        raise edits.restructured(f"{cls} has no mapped column")
    for column in columns:
        edits.after(last[-1], f"    {column.mapped_in(base)}")
        if column.field.kind == "enum":
            edits.before(model, _enum(column))
        if column.field.unique and base == "Entity":
            edits.first_item(
                edits.tuple_of(model, "__table_args__"), f'unique_live("{column.name}")'
            )
    return edits.result()


def _is_column(node: ast.AnnAssign) -> bool:
    match node:
        case ast.AnnAssign(value=ast.Call(func=ast.Name(id="relation"))):
            return False
        case ast.AnnAssign(target=ast.Name(id="version")):
            return False
        case ast.AnnAssign(annotation=ast.Subscript(value=ast.Name(id="Mapped"))):
            return True
        case _:
            return False


def _enum(column: Column) -> str:
    members = "\n".join(f'    {each.upper()} = "{each}"' for each in column.field.members)
    heading = f'    """The {column.words} of {with_article(column.owner)}."""'
    return f"class {column.cls}(StrEnum):\n{heading}\n\n{members}\n\n"


def _in_schemas(path: str, cls: str, columns: Sequence[Column]) -> tuple[str, bool]:
    edits = Edits(path, read(path))
    names = edits.class_names()
    created, changed, shown = f"{cls}Create", f"{cls}Changes", f"{cls}Out"
    has_requests = created in names or changed in names
    for column in columns:
        if has_requests:
            create = edits.class_(created)
            if column.is_named:
                edits.after_assignments(create, f"{column.cls} = {column.named}")
            edits.append_field(create, column.name, f"    {column.created}")
            edits.append_field(edits.class_(changed), column.name, f"    {column.changed}")
        line = f"    {column.name}: {column.shown}"
        edits.append_field(edits.class_(shown), column.name, line, before=_LAST)
    return edits.result(), has_requests


def _in_test(path: str, function: str, columns: Sequence[Column]) -> str:
    edits = Edits(path, read(path))
    node = edits.function(function)
    returned = node.body[-1]
    if not isinstance(returned, ast.Return) or not isinstance(returned.value, ast.Dict):
        raise edits.restructured(f"{function} does not return a dictionary")
    stored = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    if "number" not in stored and any("number" in each.sample for each in columns):
        if "_numbers" not in edits.names():
            raise edits.restructured("it has no counter `_numbers`")
        edits.before(returned, "    number = next(_numbers)")
    for column in columns:
        edits.last_entry(returned.value, f'"{column.name}": {column.sample}')
    return edits.result()
