"""The application for `dev` and `fastapi dev`. Without DATABASE_URL, it uses a local database."""

import atexit
import sys
from contextlib import ExitStack

from app.about import NAME
from app.kit.cli.development_database import exit_with_parent, local_database
from app.kit.cli.development_issuer import development_issuer
from app.kit.cli.errors import USER_ERRORS
from app.kit.migrations.runner import create_schema
from app.main import create_app
from app.settings import Settings

_until_exit = ExitStack()
atexit.register(_until_exit.close)

if sys.argv[1:2] == ["run"]:
    # `fastapi run` is for production: start no local database.
    app = create_app()
else:
    exit_with_parent()
    try:
        _until_exit.enter_context(development_issuer(NAME))
        _until_exit.enter_context(local_database(with_schema=False))
        settings = Settings.load()
        app = create_app(settings)
        # Only for a database that has never been migrated, also that of DATABASE_URL. A reload must
        # not apply pending migrations, since a developer may still be editing them. `migrate` does.
        create_schema(settings)
    except USER_ERRORS as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
