"""The application of `dev` and `fastapi dev`: on a local database where no DATABASE_URL is set."""

import atexit
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from app.kit.db.migrate import migrate
from app.kit.development import end_with_parent, local_settings
from app.main import create_app
from app.settings import Settings

_until_exit = ExitStack()
atexit.register(_until_exit.close)

if sys.argv[1:2] == ["run"]:
    # `fastapi run` is for production, where a database is never made up.
    app = create_app()
else:
    end_with_parent()
    settings = _until_exit.enter_context(local_settings(Settings))
    # uvicorn imports this module inside its event loop, and Alembic runs one of its own.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(migrate, settings).result()
    app = create_app(settings)
