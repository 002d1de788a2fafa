"""`diagram`: an entity-relationship diagram of the models, in docs/schema.md."""

from pathlib import Path
from typing import Annotated

import typer

from app.kit.cli.er_diagram import diagram_of, mermaid
from app.kit.cli.errors import CommandFailed
from app.kit.cli.service import display_path, get_service
from app.kit.db.base import Base
from app.kit.migrations.runner import PROJECT_ROOT

commands = typer.Typer()

DOCS = PROJECT_ROOT / "docs"
FILE_NAME = "schema.md"


@commands.command()
def diagram(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if schema.md is not current")
    ] = False,
    into: Annotated[
        Path, typer.Option(help="The directory of schema.md", show_default="docs")
    ] = DOCS,
) -> None:
    """Write schema.md: the tables and foreign keys of the models as a Mermaid diagram."""
    service = get_service(context)
    path, text = into / FILE_NAME, page(service.name)
    if not check:
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandFailed(f"Cannot write to {into}: {error.strerror}.") from error
        typer.echo(display_path(path))
        return
    if _read(path) != text:
        typer.echo(f"{path.name} is not current. Run `{service.name} diagram`.", err=True)
        raise typer.Exit(1)
    typer.echo("The diagram is current.")


def page(name: str) -> str:
    """Return the Markdown page with the diagram. All models must be imported before."""
    return (
        f"# Tables of {name}\n\n"
        f"Generated from the models by `{name} diagram`. Do not edit.\n\n"
        f"```mermaid\n{mermaid(diagram_of(Base.metadata))}```\n"
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
