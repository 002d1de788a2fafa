"""Edits of repository.py, service.py and router.py for added fields."""

import ast

from scaffold import service
from scaffold.editing import Edits, Function
from scaffold.feature import Feature
from scaffold.file_changes import read
from scaffold.rendering import render, render_macro


def add_filters(path: str, feature: Feature) -> dict[str, str]:
    """Return repository.py with the filters of the new fields."""
    edits = Edits(path, read(path))
    function = edits.find_function("matching")
    if function is None:
        # The team replaced the function.
        return {}
    returned = function.body[-1]
    filters = "\n".join(render_macro("filter", feature, name) for name in feature.filter_parameters)
    match returned:
        case ast.Return(value=ast.Name(id="statement")):
            edits.insert_before(returned, filters)
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Name):
            text = f"statement = {edits.source_of(value)}\n{filters}\n    return statement"
            edits.replace(returned, text)
        case _:
            raise edits.restructured_error("matching does not return `statement`")
    return {path: edits.result()}


def add_reference_checks(folder: str, feature: Feature) -> dict[str, str]:
    """Return service.py with the new references, and router.py if it must call a new service."""
    path = f"{folder}/service.py"
    if not (service.root() / path).exists():
        return {path: render("service.py", feature)} | _call_service_in_router(
            f"{folder}/router.py", feature
        )
    edits = Edits(path, read(path))
    references = edits.find_assignment(edits.tree.body, "REFERENCES")
    if not isinstance(references, ast.Dict) or not references.values:
        raise edits.restructured_error("there is no dictionary REFERENCES")
    for ref in feature.to_one:
        edits.append_item(references.values, f'"{ref.key}": {ref.target_cls}')
    return {path: edits.result()}


def _call_service_in_router(path: str, feature: Feature) -> dict[str, str]:
    edits = Edits(path, read(path))
    for action, method in (("create", "insert"), ("update", "update")):
        function = edits.get_function(f"{action}_{feature.name}")
        call = _find_call(function, f"{feature.view}.{method}")
        if call is None or not call.args:
            raise edits.restructured_error(f"{function.name} does not call {feature.view}.{method}")
        arguments = ", ".join(edits.source_of(each) for each in call.args[1:])
        edits.replace(call, f"service.{action}_{feature.name}({arguments}, session)")
        for argument in function.args.args:
            if argument.arg == "db":
                edits.replace(argument, "session: SessionDep")
    return {path: edits.result()}


def _find_call(function: Function, name: str) -> ast.Call | None:
    calls = (each for each in ast.walk(function) if isinstance(each, ast.Call))
    return next((each for each in calls if ast.unparse(each.func) == name), None)
