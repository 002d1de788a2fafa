"""The rules that hold in every module of the service, a team's own included."""

import pytest

from tests.architecture.code_rules import APART, SOURCE, violations

MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith(APART)])
def test_the_module_keeps_the_rules(module: str) -> None:
    broken = violations((SOURCE / module).read_text(), module)
    assert not broken, "\n" + "\n".join(broken)
