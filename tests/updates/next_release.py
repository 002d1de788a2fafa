"""A later release for the tests, which changes every kind of file."""

from pathlib import Path

MARKER = "the template's end here"
ADDED_LINE = "added by the next release"

# Files with marker lines between the template's and the team's lines, and how many they have.
SHARED = {
    ".env.example.jinja": 1,
    ".github/workflows/ci.yml": 1,
    ".gitlab-ci.yml": 1,
    ".pre-commit-config.yaml": 1,
    "pyproject.toml.jinja": 2,
    "src/app/registry.py.jinja": 4,
}
# Files that an update never changes.
SEEDED = ["README.md.jinja", "src/app/features/__init__.py", "tests/features/__init__.py"]
SHIPPED_MIGRATION = "migrations/versions/2026_11_21_0001_example.py.jinja"
CHANGED_KIT_FILE = "src/app/kit/queries/pagination.py"
# Its path in the releases before 0.9.0.
FORMER_KIT_FILE = "src/app/kit/page.py"
NEW = [
    "migrations/versions/2030_01_01_9999_next.py",
    "src/app/example/invoices/models.py",
    "src/app/example/posts/next.py",
    "src/app/kit/next.py",
    "tests/example/test_next.py",
]


def change_every_kind_of_file(directory: Path) -> None:
    """Change the template in a directory."""
    template = directory / "template"
    for name, times in SHARED.items():
        text = (template / name).read_text()
        assert text.count(MARKER) == times, f"{name} has {text.count(MARKER)} markers, not {times}"
        lines = [
            line if MARKER not in line else f"{indent_of(line)}# {ADDED_LINE}\n{line}"
            for line in text.splitlines(keepends=True)
        ]
        (template / name).write_text("".join(lines))
    for name in (*SEEDED, SHIPPED_MIGRATION):
        (template / name).write_text((template / name).read_text() + f"\n# {ADDED_LINE}\n")
    first, rest = (template / CHANGED_KIT_FILE).read_text().split("\n", 1)
    (template / CHANGED_KIT_FILE).write_text(f"{first}\n# {ADDED_LINE}\n{rest}")
    for name in NEW:
        (template / name).parent.mkdir(exist_ok=True)
        (template / name).write_text(f"# {ADDED_LINE}\n")


def indent_of(line: str) -> str:
    """Return the indentation of a line."""
    return line[: len(line) - len(line.lstrip())]
