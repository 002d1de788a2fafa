"""The answers file is unchanged since Copier wrote it."""

import re
from hashlib import sha256
from pathlib import Path

ANSWERS = Path(__file__).parents[2] / ".copier-answers.yml"
CHECKSUM = re.compile(r"^# Checksum: (\w+)\n", re.MULTILINE)


def checksum_of(text: str) -> str:
    """Return the checksum of the file without comments and the template's address."""
    answers = re.sub(r"^(#|_src_path: ).*\n", "", text, flags=re.MULTILINE)
    return sha256(answers.encode()).hexdigest()


def test_answers_file_was_not_edited() -> None:
    text = ANSWERS.read_text(encoding="utf-8") if ANSWERS.exists() else ""
    stored = CHECKSUM.search(text)
    assert not text or (stored and stored[1] == checksum_of(text)), (
        ".copier-answers.yml was edited. An update would then compare with a service that never "
        "existed. Undo the edit (see git log -p .copier-answers.yml), and change the answer with: "
        "uvx copier update --skip-answered --data NAME=VALUE"
    )
