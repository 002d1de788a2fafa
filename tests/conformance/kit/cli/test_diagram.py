"""The diagram shows the models as they are, needs nothing to be drawn, and is kept current."""

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
    """Tables that refer to each other in each way, to themselves and in a circle."""
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


def test_mermaid_tells_of_each_column_and_reference(models: MetaData) -> None:
    said = mermaid(diagram_of(models))
    assert '        varchar(20) name UK\n        numeric(10_2) wage  "may be empty"\n' in said
    assert "        integer person_id PK, FK\n" in said
    assert '    "kit_people" |o--o{ "kit_people" : "boss_id"\n' in said
    assert '    "kit_people" ||--o{ "kit_houses" : "owner_id"\n' in said
    assert '    "kit_people" ||--o| "kit_keys" : "person_id"\n' in said


def test_a_name_that_is_a_word_of_mermaid_or_none_at_all_stays_a_name() -> None:
    table = Table('say "end"', MetaData(), *(Column(name, Integer) for name in ("PK", "2 b")))
    said = mermaid(diagram_of(table.metadata))
    assert [line.split()[:2] for line in said.splitlines()[1:4]] == [
        ['"say', '_end_"'],
        ["integer", "_PK"],
        ["integer", "_2_b"],
    ]


def test_the_picture_shows_each_table_and_needs_nothing_from_elsewhere(models: MetaData) -> None:
    drawn = svg(diagram_of(models), "Houses & keys")
    # S314 is for what comes from strangers.
    texts = [element.text for element in ElementTree.fromstring(drawn).iter()]
    for table in models.tables.values():
        assert {table.name, *table.columns.keys()} <= {*texts}
    assert "Houses & keys" in texts
    assert set(re.findall(r"https?://[^\"]+", drawn)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|<image|url\(|@import|href", drawn)


def test_no_two_boxes_overlap_and_what_refers_stands_right_of_it() -> None:
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
    # A line that passes a column goes between its boxes.
    for enters, leaves, height in (lane for lanes in found.lanes.values() for lane in lanes):
        for box in boxes.values():
            passes = box.x < leaves and enters < box.x + box.width
            assert not (passes and box.y < height < box.y + box.height)


@pytest.mark.parametrize("names", ["abpqrstxy", "yxtsrqpba", "bapsrtqyx", "qxapytbsr"])
def test_no_two_lines_cross_where_that_can_be(names: str) -> None:
    a, b, p, q, r, s, t, x, y = [*names]
    pairs = [(a, p), (a, q), (a, r), (b, s), (q, x), (t, x), (r, y), (s, y)]
    lines = [Line(parent, child) for parent, child in pairs]
    boxes = layout(dict.fromkeys(sorted(names), (50.0, 60.0)), lines).boxes
    for one, other in combinations([(boxes[one], boxes[two]) for one, two in pairs], 2):
        if one[0].x == other[0].x:
            assert (one[0].y - other[0].y) * (one[1].y - other[1].y) >= 0


def test_a_box_moves_to_where_its_lines_cross_no_other() -> None:
    found = columns_of(["a", "b", "x", "y"], [Line("a", "y"), Line("b", "x")])
    assert found.crossings() > 0
    found.uncross()
    assert found.crossings() == 0


def test_it_is_drawn_alike_each_time_and_noticed_where_it_is_not_current(tmp_path: Path) -> None:
    into = ["--into", str(tmp_path)]
    assert run(None, "diagram", "--check", *into).code == 1
    assert run(None, "diagram", *into).code == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files(NAME)
    assert run(None, "diagram", "--check", *into) == (0, "The diagram is current.\n", "")
    with (tmp_path / "schema.md").open("a") as page:
        page.write("by hand")
    ended = run(None, "diagram", "--check", *into)
    assert (ended.code, "schema.md" in ended.err, "schema.svg" in ended.err) == (1, True, False)


def test_files_within_the_project_are_printed_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PROJECT_ROOT", tmp_path)
    ended = run(None, "diagram", "--into", str(tmp_path))
    assert ended.out == "schema.md\nschema.svg\n"


def test_a_folder_that_is_not_there_is_a_sentence_and_code_2(tmp_path: Path) -> None:
    ended = run(None, "diagram", "--into", str(tmp_path / "nowhere"))
    assert (ended.code, "cannot be written to" in ended.err) == (2, True)


def test_every_table_of_the_service_is_drawn() -> None:
    page = files(NAME)["schema.md"]
    assert all(f'    "{name}" {{' in page for name in Base.metadata.tables)


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.name)
def test_the_diagram_in_docs_is_current_where_there_is_one(kept: Path) -> None:
    drawn = files(NAME)[kept.name]
    assert not kept.exists() or kept.read_text() == drawn, f"run `{NAME} diagram`"
