"""The architecture rules apply to every module of the service, including the team's own."""

import pytest

from tests.architecture.code_rules import APART, SOURCE, lint_source

MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith(APART)])
def test_module_follows_the_rules(module: str) -> None:
    broken = lint_source((SOURCE / module).read_text(), module)
    assert not broken, "\n" + "\n".join(broken)
