"""The Kubernetes manifests are valid and restrictive, and their commands work."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_postgres import ephemeral
from tests.processes import free_port, serving, succeed
from tests.rendering import Renderer, RenderService
from tests.services import Interpreter, create_database, database_url

PROGRAMS = Path(sys.executable).parent
KUBECTL = shutil.which("kubectl")
SECONDS_TO_START = 60
# Runs the console command of a service that is not installed.
COMMAND = "from app.cli import main; main()"


@pytest.fixture
def deploy(render: Renderer) -> Path:
    """The folder of the manifests. Do not change it."""
    return render(deploy="kubernetes") / "deploy"


def load(file: Path) -> dict[str, Any]:
    """Parse a manifest."""
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


def pod(manifest: Path) -> dict[str, Any]:
    """Return the pod specification of a Deployment or a Job."""
    specification: dict[str, Any] = load(manifest)["spec"]["template"]["spec"]
    return specification


def environment_of(container: dict[str, Any], deploy: Path, secrets: dict[str, Any]) -> Any:
    """Return the environment variables of a container, from its ConfigMap and Secrets."""
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        if "configMapRef" in source:
            settings = load(deploy / "settings.yaml")
            assert settings["metadata"]["name"] == source["configMapRef"]["name"]
            found |= settings["data"]
        else:
            found |= secrets[source["secretRef"]["name"]]
    return found


def test_manifests_match_kubernetes_schema(deploy: Path) -> None:
    manifests = sorted({*deploy.iterdir()} - {deploy / "kustomization.yaml"})

    validated = succeed(PROGRAMS / "kubernetes-validate", "--strict", *manifests, cwd=deploy)

    assert validated.stdout.count("passed for resource") == len(manifests)


def test_kustomization_includes_every_manifest(deploy: Path) -> None:
    applied = load(deploy / "kustomization.yaml")["resources"]

    assert {*applied, "kustomization.yaml"} == {file.name for file in deploy.iterdir()}


if KUBECTL:

    def test_kustomize_sets_namespace_and_image(deploy: Path, tmp_path: Path) -> None:
        assert KUBECTL is not None
        rendered = tmp_path / "rendered.yaml"
        rendered.write_text(succeed(KUBECTL, "kustomize", deploy, cwd=tmp_path).stdout)

        succeed(PROGRAMS / "kubernetes-validate", "--strict", rendered, cwd=tmp_path)
        objects = list(yaml.safe_load_all(rendered.read_text()))
        assert {each["metadata"]["namespace"] for each in objects} == {"my-service"}
        assert rendered.read_text().count("image: my-service:0.1.0") == 2


@pytest.mark.parametrize("name", ["deployment.yaml", "migration.yaml"])
def test_pod_has_restricted_security_context(deploy: Path, name: str) -> None:
    specification = pod(deploy / name)
    (container,) = specification["containers"]

    user = (deploy.parent / "Dockerfile").read_text().partition("\nUSER ")[2].split(":")[0]
    assert specification["securityContext"]["runAsNonRoot"]
    assert str(specification["securityContext"]["runAsUser"]) == user
    assert not specification["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"memory"} == {*container["resources"]["limits"]}


def test_settings_contain_the_required_variables_of_authentication(render: Renderer) -> None:
    settings = load(render(deploy="kubernetes", auth="oidc") / "deploy" / "settings.yaml")["data"]

    # Empty, so that a pod fails at startup and names the missing variables.
    assert {name: settings[name] for name in ("AUTH_ISSUER", "AUTH_AUDIENCE")} == {
        "AUTH_ISSUER": "",
        "AUTH_AUDIENCE": "",
    }


def test_service_and_disruption_budget_select_deployment_pods(deploy: Path) -> None:
    deployment, job = load(deploy / "deployment.yaml"), load(deploy / "migration.yaml")
    labels = deployment["spec"]["template"]["metadata"]["labels"]

    selector = load(deploy / "service.yaml")["spec"]["selector"]
    assert selector == labels == deployment["spec"]["selector"]["matchLabels"]
    assert load(deploy / "disruption.yaml")["spec"]["selector"]["matchLabels"] == labels
    assert job["spec"]["template"]["metadata"]["labels"] != labels


@pytest.mark.slow
def test_job_migrates_and_pods_fit_in_max_connections(
    service: RenderService, interpreter: Interpreter, tmp_path: Path
) -> None:
    directory = service(deploy="kubernetes")
    manifests = directory / "deploy"
    (migrates,) = pod(manifests / "migration.yaml")["containers"]
    (serves,) = pod(manifests / "deployment.yaml")["containers"]
    console = [interpreter.python, "-c", COMMAND]

    # The default of PostgreSQL.
    with ephemeral(max_connections=100) as server:
        create_database(server, "service")
        url = database_url(server.set(database="service"))
        secrets = {
            "database": {"DATABASE_URL": url},
            "database-owner": {"DATABASE_MIGRATION_URL": url},
        }
        migrating = environment_of(migrates, manifests, secrets)
        settings = environment_of(serves, manifests, secrets)
        assert "DATABASE_MIGRATION_URL" not in settings
        succeed(*console, *migrates["command"][1:], cwd=directory, PYTHONPATH="src", **migrating)

        log = start_and_stop(console, serves, directory, tmp_path, **settings)
        assert "database check" not in log

        # Two more pods need more connections than the server has.
        more = settings | {"DATABASE_PROCESSES": "5"}
        log = start_and_stop(console, serves, directory, tmp_path, **more)
        warning = "5 x 32 = 160 at most, the server allows 97"
        assert warning in log


def start_and_stop(
    console: list[str | Path],
    serves: dict[str, Any],
    directory: Path,
    log_directory: Path,
    **settings: str,
) -> str:
    """Start a container's command, send its probes, stop it with SIGTERM; return the log."""
    port = free_port()
    words = {"0.0.0.0": "127.0.0.1", "8000": str(port)}  # noqa: S104 - the text of the manifest
    command = [words.get(word, word) for word in serves["command"][1:]]
    log = log_directory / str(port)
    with serving(
        *(*console, *command), cwd=directory, port=port, log=log, PYTHONPATH="src", **settings
    ) as pod:
        pod.wait_until_ready(SECONDS_TO_START)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert pod.get(serves[probe]["httpGet"]["path"]).is_success
        pod.process.terminate()
        assert pod.process.wait(timeout=30) == 0
        return pod.output
