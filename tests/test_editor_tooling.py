"""Editor settings, the dev container, AGENTS.md and the documentation site of a service."""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from editorconfig import get_properties

from tests.node import Node
from tests.processes import run, succeed
from tests.rendering import Renderer, RenderService, files_under

ZENSICAL = Path(sys.executable).with_name("zensical")
# The VS Code variables that the files may use.
VARIABLES = {"file", "workspaceFolder"}
# The JSON language service of VS Code.
VALIDATE_JSON = """
import { readFileSync } from "node:fs";
import vscode from "vscode-json-languageservice";
const service = vscode.getLanguageService({});
for (const file of process.argv.slice(1)) {
  const text = readFileSync(file, "utf8");
  const document = vscode.TextDocument.create(`file://${file}`, "jsonc", 1, text);
  const found = await service.doValidation(document, service.parseJSONDocument(document));
  for (const { message } of found) console.log(`${file}: ${message}`);
}
"""
VSCODE_FILES = [".vscode/extensions.json", ".vscode/launch.json", ".vscode/settings.json"]
DEV_CONTAINER = ".devcontainer/devcontainer.json"
INDENTATION = re.compile(r"^( *)\S", re.MULTILINE)


def read_json(service: Path, name: str) -> Any:
    """Read a JSON file."""
    return json.loads((service / name).read_text())


def test_files_follow_editorconfig(render: Renderer) -> None:
    service = render()
    for name, content in files_under(service).items():
        properties = get_properties(str(service / name))
        text = content.decode(properties["charset"])
        assert "\r" not in text
        assert not text or text.endswith("\n"), name
        assert "\t" not in text, f"{name} contains a tab"
        if name.endswith((".json", ".yml", ".yaml")):
            width = int(properties["indent_size"])
            assert not [found for found in INDENTATION.findall(text) if len(found) % width], name
    properties = get_properties(str(service / "src/app/main.py"))
    ruff = tomllib.loads((service / "pyproject.toml").read_text())["tool"]["ruff"]
    assert int(properties["max_line_length"]) == ruff["line-length"]


def test_vscode_and_dev_container_recommend_same_extensions(render: Renderer) -> None:
    container = read_json(render(), DEV_CONTAINER)

    recommended = read_json(render(), ".vscode/extensions.json")["recommendations"]

    assert container["customizations"]["vscode"]["extensions"] == recommended
    assert recommended == sorted(set(recommended))
    settings = read_json(render(), ".vscode/settings.json")
    assert settings["[python]"]["editor.defaultFormatter"] in recommended
    configured = {name.partition(".")[0] for name in settings if "import" in name}
    assert configured == {"mypy-type-checker", "ruff"}


def test_vscode_files_are_valid_json(render: Renderer, node: Node, tmp_path: Path) -> None:
    result = node.run(VALIDATE_JSON, *(render() / name for name in [*VSCODE_FILES, DEV_CONTAINER]))
    assert (result.returncode, result.stdout) == (0, "")

    wrong = tmp_path / "settings.json"
    wrong.write_text('{"editor.rulers": [100, ], "a": 1, "a": 2}')
    output = node.run(VALIDATE_JSON, wrong).stdout
    assert "Trailing comma" in output
    assert "Duplicate object key" in output


def test_dev_container_cli_reads_configuration(
    service: RenderService, node: Node, tmp_path: Path
) -> None:
    directory = service()
    # The CLI runs Docker to list containers; `true` prints none.
    command = [*node.command("@devcontainers/cli", "devcontainer.js"), "read-configuration"]
    command += ["--docker-path", "true", "--workspace-folder", directory]
    last = succeed(*command, cwd=directory).stdout.splitlines()[-1]
    found = json.loads(last)["configuration"]

    assert found.pop("configFilePath")["path"] == str(directory / DEV_CONTAINER)
    assert found == read_json(directory, DEV_CONTAINER)
    (tmp_path / "created.sh").write_text(found["postCreateCommand"] + "\n")
    shellcheck = Path(sys.executable).with_name("shellcheck")
    succeed(shellcheck, "--shell", "sh", tmp_path / "created.sh", cwd=directory)

    (directory / DEV_CONTAINER).write_text("[]")
    assert run(*command, cwd=directory).returncode != 0


def test_vscode_variables_modules_and_interpreter_exist(render: Renderer) -> None:
    service = render()
    for name in VSCODE_FILES:
        used = set(re.findall(r"\$\{(\w+)\}", (service / name).read_text()))
        assert used <= VARIABLES, name
    declared = tomllib.loads((service / "pyproject.toml").read_text())
    dependencies = [*declared["project"]["dependencies"], *declared["dependency-groups"]["dev"]]
    packages = {re.split(r"[\[<>=]", each)[0] for each in dependencies}
    for each in read_json(service, ".vscode/launch.json")["configurations"]:
        assert each["module"] in packages
        # Each debugger is part of the extension of the same name.
        assert f"ms-python.{each['type']}" in read_json(service, VSCODE_FILES[0])["recommendations"]
    # `uv sync` creates the environment there, and Git ignores it.
    python = read_json(service, ".vscode/settings.json")["python.defaultInterpreterPath"]
    assert python.startswith("${workspaceFolder}/.venv/")
    assert ".venv/" in (service / ".gitignore").read_text().splitlines()


def test_vscode_launch_targets_exist(render: Renderer) -> None:
    service = render()

    launched = {
        each["module"]: each for each in read_json(service, ".vscode/launch.json")["configurations"]
    }

    module, _, name = launched["uvicorn"]["args"][0].partition(":")
    text = (service / "src" / Path(*module.split("."))).with_suffix(".py").read_text()
    assert re.search(rf"\b{name} = ", text)
    assert "pytest" in launched
    port = read_json(service, DEV_CONTAINER)["forwardPorts"]
    assert [launched["uvicorn"]["args"][-1]] == [str(each) for each in port]


@pytest.mark.parametrize("example", [True, False])
def test_documentation_site_of_service_builds(service: RenderService, example: bool) -> None:
    directory = service(example=example, project_name="Zebra Crossing 2.0")

    succeed(ZENSICAL, "build", "--strict", cwd=directory)

    front = (directory / "site/index.html").read_text()
    assert "Zebra Crossing 2.0" in front
    assert "fonts.googleapis" not in front
    for page in (directory / "docs").glob("*.md"):
        assert (directory / "site" / page.stem.replace("index", "") / "index.html").is_file()


def test_site_build_fails_for_broken_link(service: RenderService) -> None:
    directory = service()
    (directory / "docs/astray.md").write_text("# Astray\n\n[There](nowhere.md)\n")

    assert run(ZENSICAL, "build", "--strict", cwd=directory).returncode != 0


def test_agents_md_names_existing_files_and_ci_commands(render: Renderer) -> None:
    text = (render() / "AGENTS.md").read_text()
    for name in re.findall(r"`((?:src|tests)/[\w/]+(?:\.py|/))`", text):
        assert (render() / name).exists(), f"AGENTS.md names {name}"
    workflow = (render() / ".github/workflows/ci.yml").read_text()
    for command in ("uv run mypy", "uv run pytest"):
        assert command in text
        assert command in workflow
