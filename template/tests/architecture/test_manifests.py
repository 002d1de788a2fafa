"""What the manifests in `deploy/` tell the cluster is what the service does."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from app.kit import readiness
from app.kit.db.settings import DatabaseSettings
from app.kit.health import router

DEPLOY = Path(__file__).parents[2] / "deploy"
# Seconds that the process takes to close its connections, after its requests have ended.
CLOSING = 10


def manifest(name: str) -> dict[str, Any]:
    """A file of the folder."""
    content: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text())
    return content


@pytest.fixture
def deployment() -> dict[str, Any]:
    specification: dict[str, Any] = manifest("deployment.yaml")["spec"]
    return specification


@pytest.fixture
def container(deployment: dict[str, Any]) -> dict[str, Any]:
    containers: list[dict[str, Any]] = deployment["template"]["spec"]["containers"]
    return containers[0]


def test_the_pools_are_counted_for_every_pod_of_a_rollout(deployment: dict[str, Any]) -> None:
    told = {
        name.removeprefix("DATABASE_").lower(): value
        for name, value in manifest("settings.yaml")["data"].items()
        if name.startswith("DATABASE_")
    }
    settings = DatabaseSettings.model_validate({"url": "postgresql://database/service", **told})

    surge = deployment["strategy"]["rollingUpdate"]["maxSurge"]
    assert settings.processes == deployment["replicas"] + surge


def test_a_pod_has_the_time_that_its_requests_have(
    deployment: dict[str, Any], container: dict[str, Any]
) -> None:
    command = container["command"]
    grace = int(command[command.index("--grace") + 1])
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]

    given = deployment["template"]["spec"]["terminationGracePeriodSeconds"]
    assert given >= before + grace + CLOSING


def test_probes_ask_routes_that_there_are(container: dict[str, Any]) -> None:
    probes = {name: probe for name, probe in container.items() if name.endswith("Probe")}

    asked = {name: probe["httpGet"]["path"] for name, probe in probes.items()}
    assert asked == {
        "startupProbe": router.url_path_for("live"),
        "livenessProbe": router.url_path_for("live"),
        "readinessProbe": router.url_path_for("ready"),
    }
    # Who asks hears what is missing, where one that gives up first hears nothing.
    assert probes["readinessProbe"]["timeoutSeconds"] > readiness.PATIENCE


def test_what_is_open_to_the_cluster_is_the_port_of_the_service(container: dict[str, Any]) -> None:
    command = container["command"]
    port, _ = container["ports"]
    (open_to_all,) = manifest("service.yaml")["spec"]["ports"]

    assert str(port["containerPort"]) == command[command.index("--port") + 1]
    assert open_to_all["targetPort"] == port["name"]


def test_prometheus_is_told_where_the_metrics_are(deployment: dict[str, Any]) -> None:
    told = deployment["template"]["metadata"]["annotations"]
    _, port = deployment["template"]["spec"]["containers"][0]["ports"]
    settings = manifest("settings.yaml")["data"]

    assert str(port["containerPort"]) == settings["METRICS_PORT"] == told["prometheus.io/port"]
