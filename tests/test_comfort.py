"""What a service gives to editors, to who works on it, and to readers, each judged by its tool."""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from editorconfig import get_properties

from tests.processes import run, succeed
from tests.rendering import Copy, Renderer, files_under

ZENSICAL = Path(sys.executable).with_name("zensical")
INDENTED = re.compile(r"^( *)\S", re.MULTILINE)


def read(service: Path, name: str) -> Any:
    """A file of JSON."""
    return json.loads((service / name).read_text())


def test_every_file_is_as_its_editor_is_told_to_write_it(render: Renderer) -> None:
    service = render()
    for name, content in files_under(service).items():
        told = get_properties(str(service / name))
        text = content.decode(told["charset"])
        assert "\r" not in text
        assert not text or text.endswith("\n"), name
        assert "\t" not in text, f"{name} has a tab"
        if name.endswith((".json", ".yml", ".yaml")):
            width = int(told["indent_size"])
            assert not [found for found in INDENTED.findall(text) if len(found) % width], name
    told = get_properties(str(service / "src/app/main.py"))
    ruff = tomllib.loads((service / "pyproject.toml").read_text())["tool"]["ruff"]
    assert int(told["max_line_length"]) == ruff["line-length"]


def test_the_editor_and_the_container_recommend_the_same_extensions(render: Renderer) -> None:
    container = read(render(), ".devcontainer/devcontainer.json")

    recommended = read(render(), ".vscode/extensions.json")["recommendations"]

    assert container["customizations"]["vscode"]["extensions"] == recommended
    assert recommended == sorted(set(recommended))
    settings = read(render(), ".vscode/settings.json")
    assert settings["[python]"]["editor.defaultFormatter"] in recommended
    named = {name.partition(".")[0] for name in settings if "import" in name}
    assert named == {"mypy-type-checker", "ruff"}


def test_what_the_editor_launches_is_there(render: Renderer) -> None:
    service = render()

    launched = {
        each["module"]: each for each in read(service, ".vscode/launch.json")["configurations"]
    }

    module, _, name = launched["uvicorn"]["args"][0].partition(":")
    text = (service / "src" / Path(*module.split("."))).with_suffix(".py").read_text()
    assert re.search(rf"\b{name} = ", text)
    assert "pytest" in launched
    port = read(service, ".devcontainer/devcontainer.json")["forwardPorts"]
    assert [launched["uvicorn"]["args"][-1]] == [str(each) for each in port]


@pytest.mark.parametrize("example", [True, False])
def test_the_pages_of_a_service_build_into_a_site(service: Copy, example: bool) -> None:
    place = service(example=example, project_name="Zebra Crossing 2.0")

    succeed(ZENSICAL, "build", "--strict", cwd=place)

    front = (place / "site/index.html").read_text()
    assert "Zebra Crossing 2.0" in front
    assert "fonts.googleapis" not in front
    for page in (place / "docs").glob("*.md"):
        assert (place / "site" / page.stem.replace("index", "") / "index.html").is_file()


def test_a_link_that_leads_nowhere_is_an_error(service: Copy) -> None:
    place = service()
    (place / "docs/astray.md").write_text("# Astray\n\n[There](nowhere.md)\n")

    assert run(ZENSICAL, "build", "--strict", cwd=place).returncode != 0


def test_what_is_said_to_who_works_on_a_service_is_true(render: Renderer) -> None:
    text = (render() / "AGENTS.md").read_text()
    for name in re.findall(r"`((?:src|tests)/[\w/]+(?:\.py|/))`", text):
        assert (render() / name).exists(), f"AGENTS.md names {name}"
    workflow = (render() / ".github/workflows/ci.yml").read_text()
    for command in ("uv run mypy", "uv run pyright", "uv run pytest"):
        assert command in text
        assert command in workflow
