"""`scaffold`: write a feature. The generator is not part of the service: `devtools` installs it."""

from importlib.util import find_spec

import typer

from app.kit.cli.development_database import is_development
from app.kit.cli.service import get_service
from app.kit.migrations.runner import PROJECT_ROOT

commands = typer.Typer()

# The generator reads the options and prints the help itself.
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

if is_development() and find_spec("scaffold_installer"):

    @commands.command(add_help_option=False, context_settings=_PASS_ON)
    def scaffold(context: typer.Context) -> None:
        """Write a feature: model, endpoints, tests and migration; or add a field to one."""
        from scaffold_installer import run_generator

        run_generator(PROJECT_ROOT, get_service(context).name, context.args)
