"""Fields added to a feature: the filters of its list, and the checks of its references."""

import ast

from scaffold import service
from scaffold.editing import Edits, Function
from scaffold.feature import Feature
from scaffold.rendering import part, render
from scaffold.writing import read


def in_repository(path: str, feature: Feature) -> dict[str, str]:
    """Return the repository with a filter for each new field that has one."""
    edits = Edits(path, read(path))
    function = edits.find_function("matching")
    if function is None:
        # The team filters in another way.
        return {}
    returned = function.body[-1]
    filters = "\n".join(part("filter", feature, name) for name in feature.filtered)
    match returned:
        case ast.Return(value=ast.Name(id="statement")):
            edits.before(returned, filters)
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Name):
            text = f"statement = {edits.source_of(value)}\n{filters}\n    return statement"
            edits.replace(returned, text)
        case _:
            raise edits.restructured("matching does not return `statement`")
    return {path: edits.result()}


def in_service(folder: str, feature: Feature) -> dict[str, str]:
    """Return the service that checks the references, and the router if it did not call one."""
    path = f"{folder}/service.py"
    if not (service.root() / path).exists():
        return {path: render("service.py", feature)} | _in_router(f"{folder}/router.py", feature)
    edits = Edits(path, read(path))
    references = edits.assigned(edits.tree.body, "REFERENCES")
    if not isinstance(references, ast.Dict) or not references.values:
        raise edits.restructured("there is no dictionary REFERENCES")
    for ref in feature.refs:
        edits.last_item(references.values, f'"{ref.key}": {ref.target_cls}')
    return {path: edits.result()}


def _in_router(path: str, feature: Feature) -> dict[str, str]:
    edits = Edits(path, read(path))
    for verb, method in (("create", "insert"), ("update", "update")):
        function = edits.function(f"{verb}_{feature.name}")
        call = _call_of(function, f"{feature.view}.{method}")
        if call is None or not call.args:
            raise edits.restructured(f"{function.name} does not call {feature.view}.{method}")
        rest = ", ".join(edits.source_of(each) for each in call.args[1:])
        edits.replace(call, f"service.{verb}_{feature.name}({rest}, session)")
        for argument in function.args.args:
            if argument.arg == "db":
                edits.replace(argument, "session: SessionDep")
    return {path: edits.result()}


def _call_of(function: Function, name: str) -> ast.Call | None:
    calls = (each for each in ast.walk(function) if isinstance(each, ast.Call))
    return next((each for each in calls if ast.unparse(each.func) == name), None)
