"""The documentation site of this repository builds without broken links."""

import shutil
import sys
import tomllib
from pathlib import Path

from tests.processes import succeed
from tests.rendering import ROOT

ZENSICAL = Path(sys.executable).with_name("zensical")


def test_documentation_site_builds(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)

    succeed(ZENSICAL, "build", "--strict", cwd=tmp_path)

    nav = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    pages = {name for entry in nav for name in entry.values()}
    assert pages == {path.name for path in (ROOT / "docs").glob("*.md")}
    assert (tmp_path / "site/tutorial/index.html").is_file()
