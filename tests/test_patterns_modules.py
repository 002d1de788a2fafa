"""docs/patterns.md of a service names every module of the kit."""

import re

from tests.rendering import Renderer, files_under

# Internal modules, and other names of modules.
INTERNAL = {
    "kit/authentication.py",
    "kit/commands/identity.py",
    "kit/cursor.py",
    "kit/db/attributes.py",
    "kit/db/caller.py",
    "kit/db/datetimes.py",
    "kit/db/enum_types.py",
    "kit/db/enum_values.py",
    "kit/db/idempotency.py",
    "kit/db/intervals.py",
    "kit/db/migration_order.py",
    "kit/db/migration_steps.py",
    "kit/db/page_rows.py",
    "kit/db/savepoint.py",
    "kit/db/schema_drift.py",
    "kit/db/soft_delete.py",
    "kit/db/sort_types.py",
    "kit/db/undefined.py",
    "kit/db/unreadable.py",
    "kit/db/url_parameters.py",
    "kit/development.py",
    "kit/environment.py",
    "kit/http/bounds.py",
    "kit/http/field_path.py",
    "kit/http/json_types.py",
    "kit/http/model_field.py",
    "kit/http/negotiation.py",
    "kit/http/plain_errors.py",
    "kit/openapi_names.py",
    "kit/openapi_schemas.py",
    "kit/queries/prepared.py",
    "kit/queries/selects.py",
    "kit/response_headers.py",
    "kit/times.py",
}


def test_each_kit_module_is_on_page(render: Renderer) -> None:
    files = files_under(render())
    page = files["docs/patterns.md"].decode()
    modules = {
        name.removeprefix("src/app/")
        for name in files
        if name.startswith("src/app/kit/") and name.endswith(".py")
    }

    missing = {
        name
        for name in modules - INTERNAL - {*re.findall(r"`([\w/]+\.py)`", page)}
        if not name.endswith("__init__.py")
    }
    assert not missing, "add these modules to docs/patterns.md"
