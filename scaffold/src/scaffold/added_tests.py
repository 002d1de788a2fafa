"""Edits of tests for added fields."""

import ast

from scaffold import service
from scaffold.editing import Edits, Function
from scaffold.feature import Feature
from scaffold.file_changes import read
from scaffold.reference import Reference
from scaffold.rendering import render, render_macro
from scaffold.samples import factories_for


def add_to_tests(path: str, feature: Feature) -> dict[str, str]:
    """Return the edited tests: that of the feature, and others that store its rows."""
    edits = Edits(path, read(path))
    if not feature.options.read_only:
        _add_to_request_body(edits, feature)
        _add_to_required_fields(edits, feature)
        edits.append(render("test_fields.py", feature))
    files: dict[str, str] = {}
    folder = service.root() / "tests" / "features"
    for file in sorted(folder.glob("test_*.py")) if feature.required_fields else []:
        name = str(file.relative_to(service.root()))
        module = edits if name == path else Edits(name, read(name))
        if _add_to_factory(module, feature):
            files[name] = module.result()
    return files | {path: edits.result()}


def _add_to_request_body(edits: Edits, feature: Feature) -> None:
    """Add the fields to the request body that the function `new_…` returns."""
    function = edits.get_function(f"new_{feature.name}")
    returned = function.body[-1]
    if not isinstance(returned, ast.Return) or not isinstance(returned.value, ast.Dict):
        raise edits.restructured_error(f"{function.name} does not return a dictionary")
    samples = [f'"{each.name}": {each.request_sample}' for each in feature.columns]
    _store_targets(edits, feature.to_one, function, returned, "".join(samples))
    as_json = "{}.id" if service.has_integer_ids() else "str({}.id)"
    refs = [f'"{each.key}": {as_json.format(each.name)}' for each in feature.to_one if each.target]
    for entry in refs + samples:
        if returned.value.values:
            edits.append_item(returned.value.values, entry)
    if not returned.value.values:
        edits.replace(returned.value, "{" + ", ".join(refs + samples) + "}")


def _add_to_factory(edits: Edits, feature: Feature) -> bool:
    """Add the required fields to the row that `make_…` stores; return whether it exists."""
    function = edits.find_function(f"make_{feature.name}")
    rows = [
        (statement, statement.value)
        for statement in (function.body if function else [])
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
        if ast.unparse(statement.value.func) == feature.cls
    ]
    if function is None or not rows:
        return False
    statement, call = rows[0]
    columns = [each for each in feature.columns if each.is_required]
    samples = [f"{each.name}={each.model_sample}" for each in columns]
    refs = [each for each in feature.to_one if not each.field.optional]
    _store_targets(edits, refs, function, statement, "".join(samples))
    values = [f"{each.key}={each.name}.id" for each in refs] + samples
    edits.append_arguments(call, ", ".join(values))
    return True


def _store_targets(
    edits: Edits, refs: list[Reference], function: Function, before: ast.stmt, samples: str
) -> None:
    """Add calls that store the target rows, and a counter if the samples use `number`."""
    for factory in factories_for([each.target for each in refs if each.target]):
        if edits.find_function(f"make_{factory.target.name}") is None:
            edits.insert_before(function, f"{render_macro('factory', factory)}\n\n")
    for ref in refs:
        if ref.target:
            edits.insert_before(before, f"    {ref.name} = await make_{ref.target.name}(session)")
    used = {each.id for each in ast.walk(function) if isinstance(each, ast.Name)}
    if "number" in samples and "number" not in used:
        counter = f"_{function.name.partition('_')[2]}_numbers"
        if edits.find_assignment(edits.tree.body, counter) is None:
            edits.insert_before(function, f"{counter} = count(1)\n\n")
        edits.insert_before(before, f"    number = next({counter})")


def _add_to_required_fields(edits: Edits, feature: Feature) -> None:
    """Add the required fields to the test that expects an error for each of them."""
    function = edits.find_function("test_required_fields_are_reported")
    sets = [each for each in ast.walk(function) if isinstance(each, ast.Set)] if function else []
    for name in feature.required_fields if sets else []:
        edits.append_item(sets[-1].elts, f'"body.{name}"')
