"""hooks/move_code.py and hooks/move_merge.py rewrite and merge code of a team."""

from dataclasses import replace
from pathlib import Path

import pytest

from hooks.move_code import rewrite
from hooks.move_list import LIST, Moves, module_of, path_of
from hooks.move_merge import Text, merge
from hooks.move_migrations import keep_importable, missing_imports

MOVES = Moves(
    modules={
        "app.kit.db.alone": "app.kit.migrations.lock",
        "app.kit.db.clocks": "app.kit.db.types.clocks",
        "app.kit.errors": "app.kit.errors.problems",
        "tests.rig.app": "tests.support.app",
    },
    packages={"tests.rig": "tests.support"},
    names={
        "app.kit.db.alone.alone": "app.kit.migrations.lock.migration_lock",
        "app.kit.db.base.Record": "app.kit.db.base.TimestampedModel",
        "app.kit.db.base.now": "app.kit.db.clock.utc_now",
        "app.kit.errors.problems": "app.kit.errors.problems.problem_responses",
    },
    attributes={"one_by": "get_one_or_none"},
    members={"app.kit.metrics.Metrics": {"of": "from_settings"}},
    kept={"app.kit.db.revisions": ["undo"]},
)
CHANGES = {
    "name": (
        "from app.kit.db.alone import alone\n\nalone()\n",
        "from app.kit.migrations.lock import migration_lock\n\nmigration_lock()\n",
    ),
    "comments in parentheses": (
        "from app.kit.db.alone import (\n    POLL,  # why\n    alone,\n)\n",
        "from app.kit.migrations.lock import (\n    POLL,  # why\n    migration_lock,\n)\n",
    ),
    "alias": (
        "from app.kit.db.alone import alone as lock\n\nlock()\n",
        "from app.kit.migrations.lock import migration_lock as lock\n\nlock()\n",
    ),
    "new name that the file already has": (
        "from app.kit.db.alone import alone\n\nmigration_lock = alone()\n",
        "from app.kit.migrations.lock import migration_lock as alone\n\nmigration_lock = alone()\n",
    ),
    "old name that a parameter has": (
        "from app.kit.db.base import Record\n\n\ndef f(Record): ...\n",
        "from app.kit.db.base import TimestampedModel as Record\n\n\ndef f(Record): ...\n",
    ),
    "module of a package": (
        "from app.kit.db import alone, base\n\nalone.alone()\nbase.Record\n",
        (
            "from app.kit.migrations import lock\nfrom app.kit.db import base\n\n"
            "lock.migration_lock()\nbase.TimestampedModel\n"
        ),
    ),
    "name that left its module": (
        "from app.kit.db.base import Record, now\n\nnow()\n",
        (
            "from app.kit.db.base import TimestampedModel\nfrom app.kit.db.clock import utc_now\n\n"
            "utc_now()\n"
        ),
    ),
    "attribute that left its module": (
        "from app.kit.db import base\n\nbase.now()\n",
        "from app.kit.db import base\nfrom app.kit.db.clock import utc_now\n\nutc_now()\n",
    ),
    "import of a module": (
        "import app.kit.db.alone\n\napp.kit.db.alone.alone()\n",
        "import app.kit.migrations.lock\n\napp.kit.migrations.lock.migration_lock()\n",
    ),
    "import of a module as": (
        "import app.kit.db.alone as x\n\nx.alone()\n",
        "import app.kit.migrations.lock as x\n\nx.migration_lock()\n",
    ),
    "relative import of a module that moved": (
        "from ..db.alone import alone\nfrom . import own\n",
        "from app.kit.migrations.lock import migration_lock\nfrom . import own\n",
    ),
    "import in a function": (
        "def f():\n    from app.kit.db.alone import alone\n    alone()\n",
        "def f():\n    from app.kit.migrations.lock import migration_lock\n    migration_lock()\n",
    ),
    "annotations and __all__": (
        (
            'from app.kit.db.base import Record\n\n__all__ = ["Record"]\n\n\n'
            'def f(x: "list[Record]") -> "Record": ...\n'
        ),
        (
            'from app.kit.db.base import TimestampedModel\n\n__all__ = ["TimestampedModel"]\n\n\n'
            'def f(x: "list[TimestampedModel]") -> "TimestampedModel": ...\n'
        ),
    ),
    "patched names": (
        (
            'from app.kit.db import alone\n\npatch.setattr("app.kit.db.alone.alone", 1)\n'
            'patch.setattr(alone, "alone", 1)\n'
        ),
        (
            "from app.kit.migrations import lock\n\n"
            'patch.setattr("app.kit.migrations.lock.migration_lock", 1)\n'
            'patch.setattr(lock, "migration_lock", 1)\n'
        ),
    ),
    "module that became a package": (
        "from app.kit.errors import NotFound, problems\n\nproblems(NotFound)\n",
        (
            "from app.kit.errors.problems import NotFound, problem_responses\n\n"
            "problem_responses(NotFound)\n"
        ),
    ),
    "import of a module that became a package": (
        "from app.kit import errors\n\nerrors.problems(404)\n",
        "import app.kit.errors.problems as errors\n\nerrors.problem_responses(404)\n",
    ),
    "member of a class": (
        "from app.kit.metrics import Metrics\n\nMetrics.of(x.of)\n",
        "from app.kit.metrics import Metrics\n\nMetrics.from_settings(x.of)\n",
    ),
    "attribute": ("x.one_by(1)\n", "x.get_one_or_none(1)\n"),
    "plugin, comment and path": (
        'plugins = ["tests.rig.app"]  # tests/rig/app.py, app.kit.db.alone\n',
        'plugins = ["tests.support.app"]  # tests/support/app.py, app.kit.migrations.lock\n',
    ),
    "letters outside of ASCII": (
        "from app.kit.db.alone import alone\n\nx = 'ü'; alone()\n",
        "from app.kit.migrations.lock import migration_lock\n\nx = 'ü'; migration_lock()\n",
    ),
}
UNCHANGED = [
    "from app.kit.db.own import alone\n\nalone()\n",
    "from app.kit.db.revisions import undo\n",
    "from tests.rig.own import alone\n",
    "from .db import alone\n",
    "x.alone()\n",
    "from app.kit.db.alone import (\n<<<<<<< ours\n",
]


@pytest.mark.parametrize("name", CHANGES)
def test_imports_and_uses_are_rewritten(name: str) -> None:
    old, new = CHANGES[name]

    assert rewrite(old, "app.kit.features.own", MOVES) == new
    assert rewrite(new, "app.kit.features.own", MOVES) == new


def test_line_endings_are_kept() -> None:
    for old, new in CHANGES.values():
        changed = rewrite(old.replace("\n", "\r\n"), "app.kit.features.own", MOVES)
        assert changed == new.replace("\n", "\r\n")


@pytest.mark.parametrize("text", UNCHANGED)
def test_other_code_stays(text: str) -> None:
    assert rewrite(text, "app.features.notes.own", MOVES) == text


def test_definitions_of_a_moved_module_are_renamed() -> None:
    old = '__all__ = ["alone"]\n\n\n@cache\nasync def alone(x): ...\n\n\nalone(1)\n'

    assert rewrite(old, "app.kit.db.alone", MOVES) == old.replace("alone", "migration_lock")


BASE = "from a import b\nfrom z import y\n\n\ndef f():\n    return b\n\n\ndef last(): ...\n"
NEW = "from c import d\nfrom z import y, x\n\n\ndef f():\n    return d\n\n\ndef other(): ...\n"


def test_import_next_to_changed_imports_does_not_conflict() -> None:
    ours = BASE.replace("from z", "from own import this\nfrom z").replace("y\n", "y as w\n")

    merged, is_clean = merge(BASE, ours, NEW, is_python=True)

    assert is_clean
    lines = merged.splitlines()[:3]
    assert lines == ["from c import d", "from z import x, y as w", "from own import this"]


def test_import_of_a_module_that_the_team_deleted_is_left_out() -> None:
    new = BASE.replace("from z", "from app.example.a import a\nfrom z")

    merged, is_clean = merge(
        BASE, BASE, new, is_python=True, exists=lambda module: module != "app.example.a"
    )

    assert (merged, is_clean) == (BASE, True)


def test_definition_after_a_changed_definition_does_not_conflict() -> None:
    own = "\n\ndef own(): ...\n"

    assert merge(BASE, BASE + own, NEW, is_python=True) == (NEW + own, True)


def test_edit_of_a_function_that_changed_its_place_does_not_conflict() -> None:
    base = (
        "import a\n\n\ndef f():\n    x = a\n    return x\n\n\ndef g():\n    y = a\n    return y\n"
    )
    head, f, g = base.split("\n\n\n")
    new = "\n\n\n".join([head.replace("a", "b"), "def other(): ...", g.strip(), f + "\n"])

    for old in ("x = a", "y = a"):
        merged, is_clean = merge(base, base.replace(old, f"{old}()"), new, is_python=True)
        assert (merged, is_clean) == (new.replace(old, f"{old}()"), True)
    outside = base.replace("\n\n\ndef g", "\nX = 1\n\n\ndef g").replace("x = a", "x = 1")
    merged, _ = merge(base, outside, new, is_python=True)
    assert "X = 1" in merged


def test_edits_of_the_same_line_conflict() -> None:
    merged, is_clean = merge(BASE, BASE.replace("return b", "return 1"), NEW, is_python=True)

    assert not is_clean
    assert "<<<<<<< before updating\n    return 1\n" in merged


def test_file_keeps_its_encoding() -> None:
    content = "# -*- coding: latin-1 -*-\r\nx = 'ü'\r\n".encode("latin-1")
    text = Text.of(content)

    assert text is not None
    assert text.text.endswith("'ü'\n")
    assert text.encode(text.text) == content
    assert Text.of(b"\0") is None


def test_old_module_of_a_migration_stays_importable(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(
        "from app.kit.db.alone import alone\nfrom app.kit.db.base import Record\n"
        "from app.kit.db.revisions import undo\nfrom app.kit.db import revisions\n"
        "import app.kit.db.clocks\n\nrevisions.undo(app.kit.db.clocks.Clock())\n"
    )

    moved = {"app.kit.db.revisions": "app.kit.migrations.operations"}
    moves = replace(MOVES, modules=MOVES.modules | moved)

    messages = keep_importable(tmp_path, ["m.py"], moves)

    text = (tmp_path / "src/app/kit/db/alone.py").read_text()
    assert "from app.kit.migrations.lock import migration_lock as alone\n" in text
    assert (tmp_path / "src/app/kit/db/clocks.py").read_text().count("import Clock\n") == 1
    assert len(messages) == 3
    assert "m.py:2: Record of app.kit.db.base is now TimestampedModel" in messages[0]
    assert keep_importable(tmp_path, ["m.py"], moves) == messages[:1]


def test_name_that_the_kit_lacks_is_reported(tmp_path: Path) -> None:
    kit = tmp_path / "src/app/kit"
    kit.mkdir(parents=True)
    (kit / "base.py").write_text(
        "from x import Base\n\nA, B = 1, 2\n\n\ndef f():\n    hidden = 1\n"
    )
    (tmp_path / "own.py").write_text(
        "from app.kit import base\nfrom app.kit.base import A, B, Base, f, hidden\n"
        "from app.kit.gone import x\nfrom app.other import y\n"
        "from app.kit.conflict import z\n"
    )
    # The names of a module with a conflict are unknown.
    (kit / "conflict.py").write_text("<<<<<<< before updating\nz = 1\n=======\n>>>>>>> after\n")

    messages = missing_imports(tmp_path, "own.py")

    assert [text.partition(". ")[0] for text in messages] == [
        "own.py:2: app.kit.base has no hidden",
        "own.py:3: app.kit.gone has no x",
    ]


def test_no_old_name_is_also_a_new_name() -> None:
    moves = Moves.load(LIST)

    assert len(moves.modules) > 100
    assert not moves.modules.keys() & set(moves.modules.values())
    assert not moves.names.keys() & set(moves.names.values())
    assert all(module_of(f"{path_of(old)}.py") == old for old in moves.modules)


def test_name_that_left_the_kit_is_imported_from_its_package() -> None:
    text = (
        "from app.kit.routing import FeatureRouter, StrictRoute\n\nFeatureRouter()\n\n\n"
        "def f() -> None:\n"
        "    from app.kit.local_postgres import throwaway as server\n"
    )

    assert rewrite(text, "app.features.a", Moves.load()) == (
        "from fastapi import APIRouter\nfrom app.kit.http.routing import StrictRoute\n\n"
        "APIRouter()\n\n\n"
        "def f() -> None:\n"
        "    from local_postgres import ephemeral as server\n"
    )


def test_code_of_a_later_release_keeps_names_like_earlier_ones() -> None:
    files = {f"src/app/kit/errors/{name}.py": b"" for name in ("__init__", "problems")}
    text = "from app.kit.errors import problems\n\nproblems.NotFound\nnotes.one_by\n"
    moves = Moves.load()
    assert rewrite(text, "app.features.a", moves) != text

    assert rewrite(text, "app.features.a", moves.of_release(files)) == text
