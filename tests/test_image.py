"""The Dockerfile of a service is linted, and its steps work without a container engine."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.processes import UV, Server, environment, free_port, open_directory, serving, succeed
from tests.rendering import Renderer
from tests.services import database_url, new_database

# An interpreter that every account can run, unlike one in the home directory of root.
SYSTEM_PYTHON = Path("/usr/bin/python3")
SECONDS_TO_START = 60


@dataclass
class Stage:
    """A build stage: pairs of an instruction and its arguments."""

    steps: list[tuple[str, str]] = field(default_factory=list)

    def arguments_of(self, instruction: str) -> list[str]:
        """Return the arguments of each such instruction, in order."""
        return [words for name, words in self.steps if name == instruction]


def stages(dockerfile: Path) -> list[Stage]:
    """Parse the stages of a Dockerfile."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    found: list[Stage] = []
    for step in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, words = step.partition(" ")
        if name == "FROM":
            found.append(Stage())
        elif step and found:
            found[-1].steps.append((name, words))
    return found


def test_hadolint_passes(render: Renderer) -> None:
    succeed(Path(sys.executable).with_name("hadolint"), "Dockerfile", cwd=render())


def test_last_stage_only_copies_and_runs_unprivileged(render: Renderer) -> None:
    build, last = stages(render() / "Dockerfile")

    assert last.arguments_of("RUN") == []
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last.arguments_of("USER")[-1])
    assert json.loads(last.arguments_of("CMD")[-1])[:2] == ["my-service", "serve"]
    assert all("--no-dev" in words for words in build.arguments_of("RUN") if "uv sync" in words)
    assert not {"curl", "ADD", "ARG"} & {name for name, _ in last.steps}


def test_dockerignore_excludes_everything_not_copied(render: Renderer) -> None:
    build, last = stages(render() / "Dockerfile")
    copied = {
        source
        for words in [*build.arguments_of("COPY"), *last.arguments_of("COPY")]
        for source in words.split()[:-1]
        if not words.startswith("--from")
    }

    first, *included = [
        line
        for line in (render() / ".dockerignore").read_text().splitlines()
        if not line.startswith(("#", "**/"))
    ]

    assert first == "*"
    assert {line.removeprefix("!") for line in included} == copied


@pytest.fixture
def image(render: Renderer) -> Iterator[Path]:
    """The directory `/app` of the image: the files of the last stage."""
    with open_directory() as directory:
        context, app = directory / "context", directory / "app"
        shutil.copytree(render(), context)
        interpreter = {"UV_PYTHON": str(SYSTEM_PYTHON)} if os.geteuid() == 0 else {}
        succeed(UV, "lock", "--quiet", cwd=context, **interpreter)
        build, last = stages(context / "Dockerfile")

        run_stage(build, context=context, built=directory, app=app, **interpreter)
        app.rename(directory / "built")
        run_stage(last, context=context, built=directory / "built", app=app)
        yield app


def run_stage(stage: Stage, *, context: Path, built: Path, app: Path, **variables: str) -> None:
    """Run the steps of a stage in a directory that replaces `/app`."""
    app.mkdir()
    path = os.pathsep.join([str(Path(UV).parent), "/usr/bin", environment()["PATH"]])
    for name, words in stage.steps:
        if name == "COPY":
            *sources, _ = words.removeprefix("--from=build ").split()
            for source in sources:
                origin = (
                    built / source.removeprefix("/app/") if "--from" in words else context / source
                )
                target = app / origin.name
                if origin.is_dir():
                    shutil.copytree(origin, target, symlinks=True)
                else:
                    shutil.copy(origin, target)
        elif name == "RUN" and "pip install" not in words:
            command = (
                words.replace("python ", "python3 ", 1) if words.startswith("python") else words
            )
            succeed(
                "sh",
                "-c",
                command.replace("&& python ", "&& python3 "),
                cwd=app,
                PATH=path,
                **variables,
            )


@pytest.mark.slow
def test_image_migrates_and_serves_without_write_permission(
    image: Path, server: URL, tmp_path: Path
) -> None:
    port, database = free_port(), database_url(new_database(server))
    settings = {
        "PATH": f"{image}/.venv/bin:/usr/bin:/bin",
        "DATABASE_URL": database,
        "PORT": str(port),
    }
    last = stages(image.parent / "context/Dockerfile")[-1]
    probe = json.loads(last.arguments_of("HEALTHCHECK")[-1].partition("CMD ")[2])
    serve = json.loads(last.arguments_of("CMD")[-1])
    unprivileged = unprivileged_command(server)

    succeed(*unprivileged, "my-service", "migrate", cwd=image, **settings)
    with serving(
        *unprivileged, *serve, cwd=image, port=port, log=tmp_path / "log", **settings
    ) as running:
        running.wait_until_ready(SECONDS_TO_START)
        succeed(*unprivileged, *probe, cwd=image, **settings)
        assert running.get("/users").is_success
        assert_stops_on_sigterm(running)

    for name in ("pytest", "local_postgres"):
        missing = subprocess.run([image / ".venv/bin/python", "-c", f"import {name}"], check=False)
        assert missing.returncode != 0


def unprivileged_command(server: URL) -> list[str]:
    """Return a command prefix that runs a command under an account without files in the image.

    It is the account of PostgreSQL, because other accounts cannot connect to the test server.
    """
    user = Path(str(server.query["host"])).stat().st_uid
    if user == os.geteuid():
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def assert_stops_on_sigterm(server: Server) -> None:
    """Assert that SIGTERM stops the process with exit code 0."""
    server.process.terminate()
    assert server.process.wait(timeout=30) == 0
    assert "Traceback" not in server.output
    assert not server.has_running_processes()
