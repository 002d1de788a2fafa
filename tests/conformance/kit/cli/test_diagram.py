"""The diagram shows the models, contains no external resources, and is kept current."""

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Numeric, String, Table

from app.about import NAME
from app.kit.commands import service
from app.kit.commands.diagram import DOCS, files
from app.kit.db.base import Base
from app.kit.diagram.columns import Line, columns_of
from app.kit.diagram.layout import layout
from app.kit.diagram.mermaid import mermaid
from app.kit.diagram.model import diagram_of
from app.kit.diagram.svg import svg
from tests.rig.commands import run

KEPT = [DOCS / "schema.md", DOCS / "schema.svg"]


@pytest.fixture
def models() -> MetaData:
    """Tables with every kind of foreign key, including self-references and a cycle."""
    metadata = MetaData()
    Table(
        "kit_people",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(20), unique=True, nullable=False),
        Column("wage", Numeric(10, 2)),
        Column("boss_id", Integer, ForeignKey("kit_people.id")),
        Column("home_id", Integer, ForeignKey("kit_houses.id")),
    )
    Table(
        "kit_houses",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("owner_id", Integer, ForeignKey("kit_people.id"), nullable=False),
    )
    Table(
        "kit_keys",
        metadata,
        Column("person_id", Integer, ForeignKey("kit_people.id"), primary_key=True),
        Column("house_id", Integer, ForeignKey("kit_houses.id"), nullable=False),
    )
    return metadata


def test_mermaid_contains_each_column_and_foreign_key(models: MetaData) -> None:
    text = mermaid(diagram_of(models))
    assert '        varchar(20) name UK\n        numeric(10_2) wage  "may be empty"\n' in text
    assert "        integer person_id PK, FK\n" in text
    assert '    "kit_people" |o--o{ "kit_people" : "boss_id"\n' in text
    assert '    "kit_people" ||--o{ "kit_houses" : "owner_id"\n' in text
    assert '    "kit_people" ||--o| "kit_keys" : "person_id"\n' in text


def test_mermaid_escapes_reserved_and_invalid_names() -> None:
    table = Table('say "end"', MetaData(), *(Column(name, Integer) for name in ("PK", "2 b")))
    text = mermaid(diagram_of(table.metadata))
    assert [line.split()[:2] for line in text.splitlines()[1:4]] == [
        ['"say', '_end_"'],
        ["integer", "_PK"],
        ["integer", "_2_b"],
    ]


def test_svg_shows_each_table_and_loads_no_external_resource(models: MetaData) -> None:
    picture = svg(diagram_of(models), "Houses & keys")
    # S314 is about untrusted input.
    texts = [element.text for element in ElementTree.fromstring(picture).iter()]
    for table in models.tables.values():
        assert {table.name, *table.columns.keys()} <= {*texts}
    assert "Houses & keys" in texts
    assert set(re.findall(r"https?://[^\"]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|<image|url\(|@import|href", picture)


def test_boxes_do_not_overlap_and_children_are_right_of_parents() -> None:
    sizes = {name: (50.0 + 10 * index, 40.0 + 20 * index) for index, name in enumerate("abcdefgh")}
    lines = [Line(pair[0], pair[1]) for pair in ("ab", "bc", "ac", "ad", "dc", "ec", "ff")]
    found = layout(sizes, lines)
    boxes = found.boxes
    assert boxes.keys() == sizes.keys()
    for one, other in combinations(boxes.values(), 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert beside or one.y + one.height <= other.y or other.y + other.height <= one.y
    for line in lines:
        parent, child = boxes[line.parent], boxes[line.child]
        assert parent is child or parent.x + parent.width < child.x
    # A line that crosses a column passes between its boxes.
    for enters, leaves, height in (lane for lanes in found.lanes.values() for lane in lanes):
        for box in boxes.values():
            passes = box.x < leaves and enters < box.x + box.width
            assert not (passes and box.y < height < box.y + box.height)


@pytest.mark.parametrize("names", ["abpqrstxy", "yxtsrqpba", "bapsrtqyx", "qxapytbsr"])
def test_lines_do_not_cross_if_avoidable(names: str) -> None:
    a, b, p, q, r, s, t, x, y = [*names]
    pairs = [(a, p), (a, q), (a, r), (b, s), (q, x), (t, x), (r, y), (s, y)]
    lines = [Line(parent, child) for parent, child in pairs]
    boxes = layout(dict.fromkeys(sorted(names), (50.0, 60.0)), lines).boxes
    for one, other in combinations([(boxes[one], boxes[two]) for one, two in pairs], 2):
        if one[0].x == other[0].x:
            assert (one[0].y - other[0].y) * (one[1].y - other[1].y) >= 0


def test_box_moves_to_avoid_crossing_lines() -> None:
    found = columns_of(["a", "b", "x", "y"], [Line("a", "y"), Line("b", "x")])
    assert found.crossings() > 0
    found.uncross()
    assert found.crossings() == 0


def test_diagram_is_deterministic_and_check_detects_changes(tmp_path: Path) -> None:
    arguments = ["--into", str(tmp_path)]
    assert run(None, "diagram", "--check", *arguments).code == 1
    assert run(None, "diagram", *arguments).code == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files(NAME)
    assert run(None, "diagram", "--check", *arguments) == (0, "The diagram is current.\n", "")
    with (tmp_path / "schema.md").open("a") as page:
        page.write("by hand")
    result = run(None, "diagram", "--check", *arguments)
    assert (result.code, "schema.md" in result.err, "schema.svg" in result.err) == (1, True, False)


def test_files_inside_the_project_are_printed_as_relative_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PROJECT_ROOT", tmp_path)
    result = run(None, "diagram", "--into", str(tmp_path))
    assert result.out == "schema.md\nschema.svg\n"


def test_missing_folder_exits_with_2_and_a_message(tmp_path: Path) -> None:
    result = run(None, "diagram", "--into", str(tmp_path / "nowhere"))
    assert (result.code, "cannot be written to" in result.err) == (2, True)


def test_diagram_contains_every_table_of_the_service() -> None:
    page = files(NAME)["schema.md"]
    assert all(f'    "{name}" {{' in page for name in Base.metadata.tables)


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.name)
def test_diagram_in_docs_is_current(kept: Path) -> None:
    picture = files(NAME)[kept.name]
    assert not kept.exists() or kept.read_text() == picture, f"run `{NAME} diagram`"
