"""The application for `dev` and `fastapi dev`. Without DATABASE_URL, it uses a local database."""

import atexit
import sys
from contextlib import ExitStack

from app.about import NAME
from app.kit.commands.errors import MENDABLE
from app.kit.commands.identity import development_issuer
from app.kit.db.migrate import create_schema
from app.kit.development import end_with_parent, local_settings, without_waiting
from app.main import create_app
from app.settings import Settings

_until_exit = ExitStack()
atexit.register(_until_exit.close)

if sys.argv[1:2] == ["run"]:
    # `fastapi run` is for production: start no local database.
    app = create_app()
else:
    end_with_parent()
    try:
        _until_exit.enter_context(development_issuer(NAME))
        settings = _until_exit.enter_context(local_settings(Settings))
        app = create_app(settings)
        # Create the schema of a new database only. A reload must not apply pending migrations to
        # an existing one, since a developer may still be editing them. `migrate` applies those.
        create_schema(without_waiting(settings))
    except MENDABLE as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
