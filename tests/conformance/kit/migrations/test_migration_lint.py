"""The migration lint reports unsafe operations with their file, and accepts safe ones."""

from pathlib import Path

import pytest
from alembic.config import Config

from tests.architecture.test_migration_lint import SETTINGS, lint_errors
from tests.conformance.support.migrations import add_revision, alembic_with


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return alembic_with(tmp_path, SETTINGS)


@pytest.mark.parametrize(
    ("rule", "unsafe"),
    [
        (
            "adding-required-field",
            "op.add_column('kit_t', sa.Column('a', sa.Integer(), nullable=False))",
        ),
        ("require-concurrent-index-creation", "op.create_index('ix', 'kit_t', ['a'])"),
        ("require-concurrent-index-deletion", "op.drop_index('ix', 'kit_t')"),
        ("changing-column-type", "op.alter_column('kit_t', 'a', type_=sa.BigInteger())"),
        ("constraint-missing-not-valid", "op.create_check_constraint('c', 'kit_t', 'a > 0')"),
        (
            "adding-foreign-key-constraint",
            "op.create_foreign_key('f', 'kit_t', 'kit_u', ['a'], ['id'])",
        ),
        ("disallowed-unique-constraint", "op.create_unique_constraint('q', 'kit_t', ['a'])"),
        ("adding-not-nullable-field", "op.alter_column('kit_t', 'a', nullable=False)"),
        ("ban-drop-column", "op.drop_column('kit_t', 'a')"),
        ("ban-drop-table", "op.drop_table('kit_t')"),
        ("renaming-column", "op.alter_column('kit_t', 'a', new_column_name='b')"),
        ("renaming-table", "op.rename_table('kit_t', 'kit_u')"),
    ],
)
def test_unsafe_operation_is_reported_with_its_file(
    config: Config, tmp_path: Path, rule: str, unsafe: str
) -> None:
    add_revision(config, tmp_path, "kit_unsafe", unsafe)
    found = [one for one in lint_errors(config, tmp_path) if one.startswith("kit_unsafe.py: ")]
    assert any(one.startswith(f"kit_unsafe.py: {rule}: ") for one in found), found


def test_safe_operations_are_not_reported(config: Config, tmp_path: Path) -> None:
    add_revision(
        config,
        tmp_path,
        "kit_safe",
        "op.create_table('kit_new', sa.Column('id', sa.Integer()), sa.Column('a', sa.String(9)))",
        "op.create_index('ix_kit_new', 'kit_new', ['a'])",
        "op.add_column('kit_t', sa.Column('b', sa.Integer()))",
        "op.add_column('kit_t', sa.Column('n', sa.Integer(), server_default='0', nullable=False))",
        "op.create_check_constraint('c', 'kit_t', 'b > 0', postgresql_not_valid=True)",
        "with outside_transaction():",
        "    op.create_index('ix', 'kit_t', ['b'], postgresql_concurrently=True)",
    )
    validate = "op.execute('ALTER TABLE kit_t VALIDATE CONSTRAINT c')"
    add_revision(config, tmp_path, "kit_later", validate)
    assert not [one for one in lint_errors(config, tmp_path) if one.startswith("kit_")]


def test_ignore_comment_disables_a_rule(config: Config, tmp_path: Path) -> None:
    unsafe = "op.drop_column('kit_t', 'a')"
    add_revision(config, tmp_path, "kit_ignores", "# squawk-ignore-file ban-drop-column", unsafe)
    path = tmp_path / "kit_ignores.py"
    path.write_text(path.read_text().replace("    # squawk", "# squawk"))
    assert not [one for one in lint_errors(config, tmp_path) if one.startswith("kit_")]
