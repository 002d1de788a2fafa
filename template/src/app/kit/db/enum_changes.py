"""The operations of autogenerate for enum types until 0.5. Deprecated: use `MigrationStep`."""

from typing_extensions import deprecated

from app.kit.db.enum_catalog import Key
from app.kit.db.enum_values import change_values
from app.kit.db.migration_steps import MigrationStep, literal, quote


@deprecated("use app.kit.db.enum_values.change_values; it goes in the next minor release")
class ChangeEnum(MigrationStep):
    """Change an enum type from some values to others."""

    def __init__(self, name: str, old: list[str], new: list[str]) -> None:
        self.name, self.old, self.new = name, old, new
        first, last = change_values(Key(None, name), old, new)
        steps = [*first, *last]
        super().__init__(
            f"change the enum type {name} from {old} to {new}",
            [line for step in steps for line in step.upgrade],
            [line for step in reversed(steps) for line in step.downgrade],
            [name for step in steps for name in step.imports],
        )

    def statements(self) -> list[str] | None:
        """Return the statements that add the new values; None where that is not enough."""
        if self.old != [value for value in self.new if value in self.old]:
            return None
        name, added = quote(self.name), "ADD VALUE IF NOT EXISTS"
        return [
            f"ALTER TYPE {name} {added} {literal(value)}{self._place(value)}"
            for value in self.new
            if value not in self.old
        ]

    def _place(self, value: str) -> str:
        if index := self.new.index(value):
            return f" AFTER {literal(self.new[index - 1])}"
        return f" BEFORE {literal(self.old[0])}" if self.old else ""


@deprecated("use app.kit.db.migration_steps.MigrationStep; it goes in the next minor release")
class KeepValues(MigrationStep):
    """Keep the values of an enum type in a downgrade."""

    def __init__(self, name: str) -> None:
        self.name = name
        lines = [f"# The values of {name} stay: PostgreSQL takes none away.", "pass"]
        super().__init__(f"keep the values of the enum type {name}", lines, lines)
