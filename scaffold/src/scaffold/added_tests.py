"""Fields added to a feature: the values of tests that store its rows."""

import ast

from scaffold import service
from scaffold.editing import Edits, Function
from scaffold.feature import Feature
from scaffold.reference import Reference
from scaffold.rendering import part, render
from scaffold.samples import factories_of
from scaffold.writing import read


def in_tests(path: str, feature: Feature) -> dict[str, str]:
    """Return the test of the feature, and other tests that store its rows."""
    edits = Edits(path, read(path))
    if not feature.options.read_only:
        _in_request(edits, feature)
        _in_required(edits, feature)
        edits.at_end(render("test_fields.py", feature))
    files: dict[str, str] = {}
    folder = service.root() / "tests" / "features"
    for place in sorted(folder.glob("test_*.py")) if feature.required else []:
        other = str(place.relative_to(service.root()))
        each = edits if other == path else Edits(other, read(other))
        if _in_factory(each, feature):
            files[other] = each.result()
    return files | {path: edits.result()}


def _in_request(edits: Edits, feature: Feature) -> None:
    """Add the fields to the body that `new_…` returns."""
    function = edits.function(f"new_{feature.name}")
    returned = function.body[-1]
    if not isinstance(returned, ast.Return) or not isinstance(returned.value, ast.Dict):
        raise edits.restructured(f"{function.name} does not return a dictionary")
    samples = [f'"{each.name}": {each.sample}' for each in feature.columns]
    _store_targets(edits, feature.refs, function, returned, "".join(samples))
    as_json = "{}.id" if service.has_integer_ids() else "str({}.id)"
    refs = [f'"{each.key}": {as_json.format(each.name)}' for each in feature.refs if each.target]
    for entry in refs + samples:
        if returned.value.values:
            edits.last_item(returned.value.values, entry)
    if not returned.value.values:
        edits.replace(returned.value, "{" + ", ".join(refs + samples) + "}")


def _in_factory(edits: Edits, feature: Feature) -> bool:
    """Add the required fields to the row that `make_…` stores, if there is such a function."""
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
    samples = [f"{each.name}={each.python_sample}" for each in columns]
    refs = [each for each in feature.refs if not each.field.optional]
    _store_targets(edits, refs, function, statement, "".join(samples))
    values = [f"{each.key}={each.name}.id" for each in refs] + samples
    edits.last_argument(call, ", ".join(values))
    return True


def _store_targets(
    edits: Edits, refs: list[Reference], function: Function, before: ast.stmt, samples: str
) -> None:
    """Store the rows that the references need, and count the rows if values differ by number."""
    for factory in factories_of([each.target for each in refs if each.target]):
        if edits.find_function(f"make_{factory.target.name}") is None:
            edits.before(function, f"{part('factory', factory)}\n\n")
    for ref in refs:
        if ref.target:
            edits.before(before, f"    {ref.name} = await make_{ref.target.name}(session)")
    stored = {each.id for each in ast.walk(function) if isinstance(each, ast.Name)}
    if "number" in samples and "number" not in stored:
        counter = f"_{function.name.partition('_')[2]}_numbers"
        if edits.assigned(edits.tree.body, counter) is None:
            edits.before(function, f"{counter} = count(1)\n\n")
        edits.before(before, f"    number = next({counter})")


def _in_required(edits: Edits, feature: Feature) -> None:
    """Add the required fields to those that the test expects an error for."""
    function = edits.find_function("test_required_fields_are_reported")
    sets = [each for each in ast.walk(function) if isinstance(each, ast.Set)] if function else []
    for name in feature.required if sets else []:
        edits.last_item(sets[-1].elts, f'"body.{name}"')
