"""Mermaid parses the diagram of every service, and docs/schema.md is current."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table
from sqlalchemy.dialects import postgresql

from tests.node import Node
from tests.processes import succeed
from tests.rendering import ROOT, RenderService
from tests.services import Interpreter

# The command is in devtools.
MODULES = "src:devtools"
RUN_COMMAND = "from app.cli import main; main()"
PRINT_DIAGRAM = """
import pickle, sys
from pathlib import Path
from schema_diagram import mermaid
print(mermaid(pickle.loads(Path(sys.argv[1]).read_bytes())))
"""
# Answers that change tables or columns, each with all its values.
SCHEMA_ANSWERS: list[dict[str, Any]] = [
    {},
    {"pk_type": "int", "soft_delete": False},
    {"pk_type": "uuid4", "example": False},
]
READ_DIAGRAM = """
import { readFileSync } from "node:fs";
import mermaid from "./mermaid/package/dist/mermaid.esm.min.mjs";
const text = readFileSync(process.argv[1], "utf8");
await mermaid.parse(text);
const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
const entities = [...db.getEntities().values()];
const tables = entities.map(({ label, attributes }) => [label, attributes.map((a) => a.name)]);
console.log(JSON.stringify({
  tables: Object.fromEntries(tables),
  links: db.getRelationships().map((each) => each.roleA),
}));
"""
# Keywords of Mermaid, and names that it does not accept unquoted.
NAMES = ["class", "direction", "end", "erDiagram", "many", "one", "only", "order", "PK", "style"]
NAMES += ["subgraph", "title", "to", "u", "2fa", "a b", "a-b", "a/b", "größe", "x$y", "_x", "1.5"]
TYPES = [
    postgresql.DOUBLE_PRECISION(),
    postgresql.ARRAY(Integer, dimensions=2),
    postgresql.BIT(3, varying=True),
    postgresql.ENUM("a", "b", name="two words", schema="other"),
    postgresql.INTERVAL(fields="DAY TO SECOND"),
    postgresql.NUMERIC(10, 2),
    postgresql.TIMESTAMP(timezone=True, precision=3),
]


def write_page(service: Path, interpreter: Interpreter) -> str:
    """Run `diagram` in a service and return docs/schema.md."""
    succeed(interpreter.python, "-c", RUN_COMMAND, "diagram", cwd=service, PYTHONPATH=MODULES)
    return (service / "docs/schema.md").read_text()


def table_names(service: Path, interpreter: Interpreter) -> set[str]:
    """Return the names of the tables of a service."""
    program = "import app.registry, json; from app.kit.db.base import Base; "
    program += "print(json.dumps([*Base.metadata.tables]))"
    listed = succeed(interpreter.python, "-c", program, cwd=service, PYTHONPATH="src").stdout
    return {*json.loads(listed)}


def parse(node: Node, source: str, directory: Path) -> Any:
    """Return the tables and relationships that Mermaid parses from the source."""
    (directory / "schema.mmd").write_text(source)
    result = node.run(READ_DIAGRAM, directory / "schema.mmd")
    assert result.returncode == 0, result.stdout[-2000:]
    return json.loads(result.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers", SCHEMA_ANSWERS, ids=lambda answers: "-".join(answers) or "default"
)
def test_mermaid_shows_every_table_of_a_service(
    service: RenderService,
    interpreter: Interpreter,
    node: Node,
    tmp_path: Path,
    answers: dict[str, Any],
) -> None:
    directory = service(**answers)
    page = write_page(directory, interpreter)
    source = page.partition("```mermaid\n")[2].partition("```")[0]

    assert {*parse(node, source, tmp_path)["tables"]} == table_names(directory, interpreter)


@pytest.mark.slow
def test_schema_page_of_documentation_is_current(
    service: RenderService, interpreter: Interpreter
) -> None:
    current = write_page(service(), interpreter)

    documented = (ROOT / "docs/schema.md").read_text()
    assert documented == current, "copy docs/schema.md from a service with the default answers"


@pytest.mark.slow
def test_mermaid_accepts_keywords_as_names(
    service: RenderService, interpreter: Interpreter, node: Node, tmp_path: Path
) -> None:
    metadata = MetaData()
    for number, name in enumerate(NAMES):
        key = Column("id", Integer, primary_key=True)
        reference = Column(name, ForeignKey(f"{NAMES[number - 1]}.id"))
        Table(name, metadata, key, reference, *(Column(each, Integer) for each in NAMES[:number]))
    Table("types", metadata, *(Column(f"t{index}", type_) for index, type_ in enumerate(TYPES)))

    (tmp_path / "metadata").write_bytes(pickle.dumps(metadata))
    source = succeed(
        *(interpreter.python, "-c", PRINT_DIAGRAM, tmp_path / "metadata"),
        cwd=service(),
        PYTHONPATH=MODULES,
    ).stdout
    found = parse(node, source, tmp_path)

    assert {*found["tables"]} == {*NAMES, "types"}
    assert {name: len(fields) for name, fields in found["tables"].items()} == {
        table.name: len(table.columns) for table in metadata.tables.values()
    }
    assert sorted(found["links"]) == sorted(NAMES)


def test_mermaid_reports_a_syntax_error(node: Node, tmp_path: Path) -> None:
    (tmp_path / "wrong.mmd").write_text("erDiagram\n    users {\n        uuid id ???\n    }\n")

    assert "Parse error on line 3" in node.run(READ_DIAGRAM, tmp_path / "wrong.mmd").stdout
