"""The command line of `scaffold`."""

import sys
from typing import Annotated, Literal

import typer

from app.kit.cli.errors import CommandFailed
from scaffold import service
from scaffold.added_fields import add_fields
from scaffold.cascades import edit_owners
from scaffold.checks import check_feature
from scaffold.feature import Feature, Options
from scaffold.file_changes import check_committed, diff, read, write_or_restore
from scaffold.grammar import KINDS, parse_field
from scaffold.migration import fill_existing_rows, write_migration
from scaffold.names import snake_case
from scaffold.registration import PATH, register
from scaffold.rendering import render_feature

HELP = """Write a feature: model, schemas, queries, endpoints, tests and migration.

\b
  scaffold customer name:str email:str:254:unique
  scaffold invoice number:str:40:unique customer:ref:customers \\
      total:decimal:12,2 status:enum:draft,sent,paid:default=draft \\
      due_on:date:optional notes:text:optional tags:many:tags \\
      --search number --version

A field is NAME:TYPE, then the parameters of the type, then any of `optional`,
`unique`, `indexed` and `default=VALUE`. A `?` at the end means optional; quote it in zsh.

\b
  str[:LENGTH]   text   int   bigint   decimal[:DIGITS,PLACES]   bool
  date   datetime   uuid   json   TYPE[] for an array
  enum:A,B,C     one of these values
  ref:TABLE[:restrict|:cascade|:set_null]   one row; ref:self for the model itself
  many:TABLE     many rows, through an association table

`scaffold field MODEL NAME:TYPE…` adds fields to a feature: see `scaffold field --help`.
"""


def run(arguments: list[str], name: str) -> None:
    """Run the command with the words after `scaffold`."""
    commands = typer.Typer(add_completion=False, rich_markup_mode=None)
    # `scaffold field name:str` is a new model named `field`.
    adds_fields = arguments[:1] == ["field"] and not any(":" in word for word in arguments[1:2])
    commands.command(help=None if adds_fields else HELP)(field if adds_fields else scaffold)
    words = arguments[1:] if adds_fields else arguments
    program = f"{name} scaffold field" if adds_fields else f"{name} scaffold"
    if code := commands(words or ["--help"], prog_name=program, standalone_mode=False):
        # The user interrupted it.
        raise typer.Exit(code)


def scaffold(
    model: Annotated[str, typer.Argument(help="The model, singular: invoice, InvoiceLine")],
    fields: Annotated[list[str] | None, typer.Argument(help="NAME:TYPE…")] = None,
    *,
    hard_delete: Annotated[
        bool,
        typer.Option(
            "--hard-delete", help="Delete rows permanently, even if the service soft-deletes"
        ),
    ] = False,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Generate only endpoints that read")
    ] = False,
    page: Annotated[
        Literal["offset", "cursor"], typer.Option(help="The pagination of the list")
    ] = "offset",
    search: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Add a text search of this field; may be repeated"),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Optimistic locking, with ETag and If-Match")
    ] = False,
    plural: Annotated[str | None, typer.Option(help="The table, if not the regular plural")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print a diff, write nothing")] = False,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Edit files with uncommitted changes")
    ] = False,
) -> None:
    """Write a feature, its tests and its migration."""
    parsed = [parse_field(each) for each in fields or _prompt_for_fields()]
    options = Options(plural, hard_delete, read_only, page, tuple(search or ()), version)
    feature = Feature(snake_case(model), parsed, options)
    check_feature(feature)
    files = render_feature(feature)
    edited = edit_owners(feature) | {PATH: register(read(PATH), feature)}
    message = f"add {feature.plural_words}"
    _apply(files | edited, message, list(edited), {}, dry_run=dry_run, allow_dirty=allow_dirty)
    if not dry_run:
        _print_test_command(f"tests/features/test_{feature.plural}.py")


def field(
    model: Annotated[str, typer.Argument(help="The model of a feature: invoice")],
    fields: Annotated[list[str], typer.Argument(help="NAME:TYPE…")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print a diff, write nothing")] = False,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="Edit files with uncommitted changes")
    ] = False,
    no_rows: Annotated[
        bool, typer.Option("--no-rows", help="The table is empty in every database")
    ] = False,
) -> None:
    """Add fields to a feature: to its model, its schemas and its test; write the migration.

    \b
    scaffold field invoice paid_at:datetime:optional
    scaffold field invoice currency:str:3:default=EUR
    scaffold field invoice issued_on:date:existing=2026-01-31
    scaffold field invoice approver:ref:users:optional

    Existing rows need a value: write `optional`, `default=VALUE`, or
    `existing=VALUE`, which applies only to the existing rows.
    """
    parsed = [parse_field(each) for each in fields]
    files, test = add_fields(snake_case(model), parsed, no_rows=no_rows)
    message = f"add {' and '.join(each.name for each in parsed)} to {snake_case(model)}"
    existing_values = {each.name: each.existing for each in parsed if each.existing is not None}
    edited = [path for path in files if (service.root() / path).exists()]
    _apply(files, message, edited, existing_values, dry_run=dry_run, allow_dirty=allow_dirty)
    if not dry_run:
        _print_test_command(test)


def _apply(
    files: dict[str, str],
    message: str,
    edited: list[str],
    existing_values: dict[str, str],
    *,
    dry_run: bool,
    allow_dirty: bool,
) -> None:
    if dry_run:
        typer.echo(diff(files), nl=False)
        return
    if not allow_dirty:
        check_committed(edited)
    with write_or_restore(files):
        migration = write_migration(message)
        for column, value in existing_values.items():
            migration = fill_existing_rows(migration, column, value)
    for path in files:
        typer.echo(f"{'edited ' if path in edited else 'created'} {path}")
    typer.echo(f"\nThe migration:\n{migration}")


def _print_test_command(test: str) -> None:
    typer.echo(f"\nTest it with:\n  uv run pytest {test}")


def _prompt_for_fields() -> list[str]:
    if not sys.stdin.isatty():
        raise CommandFailed(
            "A feature needs at least one field: write NAME:TYPE, such as title:str."
        )
    typer.echo(f"Fields, one per line, as NAME:TYPE; an empty line ends. Types: {', '.join(KINDS)}")
    specs: list[str] = []
    while answer := typer.prompt("Field", default="", show_default=False).strip():
        try:
            _check_spec(answer)
        except CommandFailed as error:
            typer.echo(str(error), err=True)
        else:
            specs.append(answer)
    return specs


def _check_spec(spec: str) -> None:
    parsed = parse_field(spec)
    if parsed.is_relationship and parsed.target != "self":
        service.find_target(parsed.target, spec)
