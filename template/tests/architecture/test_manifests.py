"""The Kubernetes manifests in `deploy/` match the service."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from app.kit.db.settings import DatabaseSettings
from app.kit.observability.health import PATIENCE, router

DEPLOY = Path(__file__).parents[2] / "deploy"
# Seconds that the process needs to close its connections after the last request.
CLOSING = 10


def manifest(name: str) -> dict[str, Any]:
    """Parse a manifest."""
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


def test_pools_are_sized_for_every_pod_of_a_rollout(deployment: dict[str, Any]) -> None:
    variables = {
        name.removeprefix("DATABASE_").lower(): value
        for name, value in manifest("settings.yaml")["data"].items()
        if name.startswith("DATABASE_")
    }
    settings = DatabaseSettings.model_validate(
        {"url": "postgresql://database/service", **variables}
    )

    surge = deployment["strategy"]["rollingUpdate"]["maxSurge"]
    assert settings.processes == deployment["replicas"] + surge


def test_termination_grace_period_covers_the_last_requests(
    deployment: dict[str, Any], container: dict[str, Any]
) -> None:
    command = container["command"]
    grace = int(command[command.index("--grace") + 1])
    pre_stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]

    grace_period = deployment["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace_period >= pre_stop + grace + CLOSING


def test_probes_request_existing_routes(container: dict[str, Any]) -> None:
    probes = {name: probe for name, probe in container.items() if name.endswith("Probe")}

    paths = {name: probe["httpGet"]["path"] for name, probe in probes.items()}
    assert paths == {
        "startupProbe": router.url_path_for("live"),
        "livenessProbe": router.url_path_for("live"),
        "readinessProbe": router.url_path_for("ready"),
    }
    # With a shorter timeout, the probe ends before `/health/ready` can report what is missing.
    assert probes["readinessProbe"]["timeoutSeconds"] > PATIENCE


def test_service_exposes_the_port_of_the_process(container: dict[str, Any]) -> None:
    command = container["command"]
    port, _ = container["ports"]
    (exposed,) = manifest("service.yaml")["spec"]["ports"]

    assert str(port["containerPort"]) == command[command.index("--port") + 1]
    assert exposed["targetPort"] == port["name"]


def test_prometheus_annotation_names_the_metrics_port(deployment: dict[str, Any]) -> None:
    annotations = deployment["template"]["metadata"]["annotations"]
    _, port = deployment["template"]["spec"]["containers"][0]["ports"]
    settings = manifest("settings.yaml")["data"]

    assert (
        str(port["containerPort"]) == settings["METRICS_PORT"] == annotations["prometheus.io/port"]
    )
