"""`diagram`: the tables of the service and their foreign keys, in docs/."""

from pathlib import Path
from typing import Annotated

import typer

from app.kit.commands.errors import Refused
from app.kit.commands.service import service_of, shown
from app.kit.db.base import Base
from app.kit.db.migrate import PROJECT_ROOT
from app.kit.diagram.mermaid import mermaid
from app.kit.diagram.model import diagram_of
from app.kit.diagram.svg import svg

commands = typer.Typer()

DOCS = PROJECT_ROOT / "docs"


@commands.command()
def diagram(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 if they are not current")
    ] = False,
    into: Annotated[
        Path, typer.Option(help="The folder of schema.md and schema.svg", show_default="docs")
    ] = DOCS,
) -> None:
    """Draw the tables of the models, as Mermaid (schema.md) and as a picture (schema.svg)."""
    service = service_of(context)
    drawn = {into / name: text for name, text in files(service.name).items()}
    if not check:
        try:
            for path, text in drawn.items():
                path.write_text(text, encoding="utf-8")
                typer.echo(shown(path))
        except OSError as error:
            raise Refused(f"{into} cannot be written to: {error.strerror}.") from error
        return
    if stale := [path for path, text in drawn.items() if _text_of(path) != text]:
        names = " and ".join(path.name for path in stale) + (" is" if len(stale) == 1 else " are")
        typer.echo(f"{names} not current. Run `{service.name} diagram`.", err=True)
        raise typer.Exit(1)
    typer.echo("The diagram is current.")


def files(name: str) -> dict[str, str]:
    """The files of the diagram, by name. The registry must have been imported."""
    found = diagram_of(Base.metadata)
    page = (
        f"# The tables of {name}\n\n"
        f"Drawn from the models by `{name} diagram`, never by hand.\n\n"
        "![Each table with its columns and foreign keys](schema.svg)\n\n"
        f"```mermaid\n{mermaid(found)}```\n"
    )
    return {"schema.md": page, "schema.svg": svg(found, f"The tables of {name}")}


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
