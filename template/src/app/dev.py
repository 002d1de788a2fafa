"""The application of `dev` and `fastapi dev`: on a local database where no DATABASE_URL is set."""

import atexit
import sys
from contextlib import ExitStack

from app.kit.commands.errors import MENDABLE
from app.kit.db.migrate import create_schema
from app.kit.development import end_with_parent, local_settings, without_waiting
from app.main import create_app
from app.settings import Settings

_until_exit = ExitStack()
atexit.register(_until_exit.close)

if sys.argv[1:2] == ["run"]:
    # `fastapi run` is for production, where no local database is started.
    app = create_app()
else:
    end_with_parent()
    try:
        settings = _until_exit.enter_context(local_settings(Settings))
        app = create_app(settings)
        # Only a new database gets its schema here. `migrate` applies the pending migrations of any
        # other, so that no migration is applied while its file is being edited.
        create_schema(without_waiting(settings))
    except MENDABLE as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from None
