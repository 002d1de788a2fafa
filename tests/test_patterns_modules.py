"""docs/patterns.md of a service names every module of the kit."""

import re

from tests.rendering import Renderer, files_under

# Internal modules, and other names of modules.
INTERNAL = {
    "kit/http/authentication.py",
    "kit/cli/development_issuer.py",
    "kit/db/revisions.py",
    "kit/db/current_user.py",
    "kit/writes/idempotency.py",
    "kit/migrations/autogenerate/steps.py",
    "kit/queries/pagination.py",
    "kit/writes/transactions.py",
    "kit/migrations/autogenerate/schema_steps.py",
    "kit/db/soft_delete.py",
    "kit/cli/development_database.py",
    "kit/http/validation/value_checks.py",
    "kit/http/middleware/conditional_requests.py",
    "kit/queries/compiled/statement_cache.py",
    "kit/queries/compiled/columns.py",
    "kit/http/schemas.py",
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
