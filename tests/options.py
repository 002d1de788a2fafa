"""Write docs/options.md, what each answer changes: `python -m tests.options`."""

import difflib
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from tests.rendering import ROOT, Renderer, files_under, questionnaire

PAGE = ROOT / "docs" / "options.md"
# Reasons to choose each answer, by question.
REASONS: dict[str, str] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
# Contains all answers, so every answer changes it.
ANSWERS_FILE = ".copier-answers.yml"
MAX_DIFF_LINES = 60
MAX_LISTED_FILES = 4

HEAD = """\
# What each answer changes

`uv run python -m tests.options` writes this page. It compares a service with default answers to
services in which one answer differs. The explanations come from `tests/options.toml`.
`tests/test_blast_radius.py` fails if this page is outdated.
"""


def heading(name: str, question: dict[str, Any]) -> str:
    """Return the heading of a question and the reasons for each answer."""
    return f"## {name}\n\n{question['help'].partition('?')[0]}?\n\n{REASONS[name].strip()}\n"


def section(option: str, answer: Any, before: dict[str, bytes], after: dict[str, bytes]) -> str:
    """Return the section on one answer: its differences from the default."""
    default = questionnaire()[option]["default"]
    # The default of `tune_pool` is computed: true only with a pool setting in `--data`.
    default_text = format_answer(False if "{%" in str(default) else default)
    title = f"### {format_answer(answer)} instead of {default_text}"
    return f"{title}\n\n{format_difference(before, after)}"


def format_answer(answer: Any) -> str:
    """Format an answer as in the answers file."""
    text = str(answer).lower() if isinstance(answer, bool) else str(answer)
    return f"`{text}`"


def format_difference(before: dict[str, bytes], after: dict[str, bytes]) -> str:
    """List added, removed and changed files, and show the diff of the most relevant one."""
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    items = [
        *list_item("changes", changed - {ANSWERS_FILE}),
        *list_item("adds", after.keys() - before.keys()),
        *list_item("removes", before.keys() - after.keys()),
    ]
    text = "\n".join(items or ["- changes no other file"]) + "\n"
    for name in sorted(changed, key=lambda name: ("/kit/" not in name, name)):
        lines = diff_lines(name, before[name], after[name])
        if name != ANSWERS_FILE and not name.startswith("tests/") and len(lines) <= MAX_DIFF_LINES:
            return text + "\n".join(["", f"`{name}`:", "", "```diff", *lines, "```", ""])
    return text


def list_item(verb: str, names: set[str]) -> list[str]:
    """Return a list item; many files of one folder become a count."""
    folders: dict[str, list[str]] = {}
    for name in sorted(names):
        parts = Path(name).parts
        folders.setdefault("/".join(folder_parts(parts)), []).append(name)
    items: list[str] = []
    for folder, each in folders.items():
        if len(each) > MAX_LISTED_FILES:
            items.append(f"{len(each)} files in `{folder}/`")
        else:
            items += [f"`{name}`" for name in each]
    return [f"- {verb} {', '.join(items)}"] if items else []


def folder_parts(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folder under which a file is listed: `example`, or else its parent."""
    return parts[: parts.index("example") + 1] if "example" in parts else parts[:-1] or (".",)


def diff_lines(name: str, before: bytes, after: bytes) -> list[str]:
    """Return a unified diff with one line of context."""
    old, new = (text.decode().splitlines() for text in (before, after))
    _, _, *lines = difflib.unified_diff(old, new, name, name, lineterm="", n=1)
    return [line.rstrip() for line in lines]


def main() -> None:
    """Render a service for each answer and write the page."""
    # Imported here: tests.test_blast_radius imports this module.
    from tests.test_blast_radius import CHANGED_FILES

    parts = [HEAD]
    with tempfile.TemporaryDirectory() as directory:
        render = Renderer(Path(directory))
        before = files_under(render())
        for name, question in questionnaire().items():
            parts.append(heading(name, question))
            for option, answer, _ in CHANGED_FILES:
                if option == name:
                    after = files_under(render(**{option: answer}))
                    parts.append(section(option, answer, before, after))
    PAGE.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
