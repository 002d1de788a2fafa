"""The answers file is what Copier wrote."""

import re
from hashlib import sha256
from pathlib import Path

ANSWERS = Path(__file__).parents[2] / ".copier-answers.yml"
CHECKSUM = re.compile(r"^# Checksum: (\w+)\n", re.MULTILINE)


def checksum_of(text: str) -> str:
    """The checksum of everything but the comments and the address of the template."""
    answers = re.sub(r"^(#|_src_path: ).*\n", "", text, flags=re.MULTILINE)
    return sha256(answers.encode()).hexdigest()


def test_the_answers_were_not_edited_by_hand() -> None:
    text = ANSWERS.read_text(encoding="utf-8") if ANSWERS.exists() else ""
    stored = CHECKSUM.search(text)
    assert not text or (stored and stored[1] == checksum_of(text)), (
        ".copier-answers.yml was edited, so an update would compare with a service that you never "
        "had. Undo the edit (see git log -p .copier-answers.yml), then change the answer with: "
        "uvx copier update --skip-answered --data NAME=VALUE"
    )
