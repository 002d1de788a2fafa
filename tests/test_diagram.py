"""Mermaid and a browser render the diagram of a service."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table
from sqlalchemy.dialects import postgresql

from app.kit.diagram.mermaid import mermaid
from app.kit.diagram.model import diagram_of
from tests.browsers import CHROMIUM, open_page
from tests.node import Node
from tests.processes import succeed
from tests.rendering import Copy
from tests.services import Interpreter

DRAW = "from app.cli import main; main()"
# Answers that change tables or columns, with each of their values.
SHAPES: list[dict[str, Any]] = [
    {},
    {"pk_type": "int", "soft_delete": False},
    {"pk_type": "uuid4", "example": False},
]
READ = """
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
# Mermaid keywords, and names with characters that Mermaid does not allow.
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

# Finds overlapping text, text outside of its box, and lines behind boxes.
FIND_OVERLAPS = """
() => {
  const found = [];
  const boxes = [...document.querySelectorAll("rect.box:not(.head)")].map((each) => each.getBBox());
  const texts = [...document.querySelectorAll("text")];
  const inside = (a, b) => a.x >= b.x && a.y >= b.y
    && a.x + a.width <= b.x + b.width && a.y + a.height <= b.y + b.height + 1;
  const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width
    && a.y + 4 < b.y + b.height && b.y + 4 < a.y + a.height;
  texts.forEach((one, index) => {
    if (!boxes.some((box) => inside(one.getBBox(), box))) found.push(`${one.textContent} is out`);
    for (const other of texts.slice(index + 1))
      if (meet(one.getBBox(), other.getBBox()))
        found.push(`${one.textContent} is on ${other.textContent}`);
  });
  boxes.forEach((one, index) => {
    if (boxes.slice(index + 1).some((other) => meet(one, other))) found.push(`box ${index}`);
  });
  for (const line of document.querySelectorAll("path.line"))
    for (let at = 0; at < line.getTotalLength(); at += 2) {
      const { x, y } = line.getPointAtLength(at);
      if (boxes.some((b) => x > b.x + 1 && x < b.x + b.width - 1 && y > b.y && y < b.y + b.height))
        found.push(`a line behind a box at ${x}, ${y}`);
    }
  return { found, boxes: boxes.length };
}
"""


@dataclass(frozen=True)
class Diagram:
    """The diagram of a service, and the tables of the service."""

    words: str
    picture: Path
    tables: set[str]


def draw(place: Path, interpreter: Interpreter) -> Diagram:
    """Run the `diagram` command of a service."""
    succeed(interpreter.python, "-c", DRAW, "diagram", cwd=place, PYTHONPATH="src")
    words = (place / "docs/schema.md").read_text().partition("```mermaid\n")[2].partition("```")[0]
    list_tables = "import app.registry, json; from app.kit.db.base import Base; "
    list_tables += "print(json.dumps([*Base.metadata.tables]))"
    listed = succeed(interpreter.python, "-c", list_tables, cwd=place, PYTHONPATH="src").stdout
    return Diagram(words, place / "docs/schema.svg", {*json.loads(listed)})


def read(node: Node, words: str, place: Path) -> Any:
    """Parse a diagram with Mermaid."""
    (place / "schema.mmd").write_text(words)
    ended = node.run(READ, place / "schema.mmd")
    assert ended.returncode == 0, ended.stdout[-2000:]
    return json.loads(ended.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("answers", SHAPES, ids=lambda answers: "-".join(answers) or "default")
def test_mermaid_and_browser_show_every_table(
    service: Copy, interpreter: Interpreter, node: Node, tmp_path: Path, answers: dict[str, Any]
) -> None:
    diagram = draw(service(**answers), interpreter)

    assert {*read(node, diagram.words, tmp_path)["tables"]} == diagram.tables
    if CHROMIUM is not None:
        with open_page() as browser:
            browser.page.goto(diagram.picture.as_uri())
            assert browser.page.evaluate(FIND_OVERLAPS) == {
                "found": [],
                "boxes": len(diagram.tables),
            }


def test_mermaid_parses_keywords_as_names(node: Node, tmp_path: Path) -> None:
    metadata = MetaData()
    for number, name in enumerate(NAMES):
        key = Column("id", Integer, primary_key=True)
        refers = Column(name, ForeignKey(f"{NAMES[number - 1]}.id"))
        Table(name, metadata, key, refers, *(Column(each, Integer) for each in NAMES[:number]))
    Table("types", metadata, *(Column(f"t{index}", of) for index, of in enumerate(TYPES)))

    found = read(node, mermaid(diagram_of(metadata)), tmp_path)

    assert {*found["tables"]} == {*NAMES, "types"}
    assert {name: len(fields) for name, fields in found["tables"].items()} == {
        table.name: len(table.columns) for table in metadata.tables.values()
    }
    assert sorted(found["links"]) == sorted(NAMES)


def test_mermaid_rejects_invalid_diagram(node: Node, tmp_path: Path) -> None:
    (tmp_path / "wrong.mmd").write_text("erDiagram\n    users {\n        uuid id ???\n    }\n")

    assert "Parse error on line 3" in node.run(READ, tmp_path / "wrong.mmd").stdout
