"""The check of the Kubernetes manifests passes what is here, and names each thing that breaks."""

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.reflect.lifecycle.limits import TransferLimits

LIMITS = TransferLimits()
ROOT = Path(__file__).parents[2]
Objects = list[dict[str, Any]]


@pytest.fixture(scope="module")
def rendered() -> str:
    command = [str(ROOT / "tools" / "kubectl"), "kustomize", str(ROOT / "deploy" / "k8s" / "base")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return done.stdout


@pytest.fixture(scope="module")
def check() -> Callable[[Objects], list[str]]:
    """What tools/manifests runs, from its file: tools/ is no package."""
    spec = importlib.util.spec_from_file_location("check", ROOT / "tools" / "check_manifests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda objects: list(module.Installation(objects).check())


def named(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    return next(o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))


def pod(objects: Objects, name: str) -> dict[str, Any]:
    found: dict[str, Any] = named(objects, "Deployment", name)["spec"]["template"]["spec"]
    return found


def settings(objects: Objects) -> dict[str, str]:
    found: dict[str, str] = next(o for o in objects if o["kind"] == "ConfigMap")["data"]
    return found


def misspell_a_key(objects: Objects) -> None:
    pod(objects, "mnema-vector")["containers"][0]["imagePullPolice"] = "Always"


def lose_a_target(objects: Objects) -> None:
    objects.remove(named(objects, "Deployment", "mnema-graph"))


def serve_no_target(objects: Objects) -> None:
    pod(objects, "mnema-graph")["containers"][0]["args"] = ["graphs"]


def unpin(objects: Objects) -> None:
    pod(objects, "mnema-files")["containers"][0]["image"] = "registry.example.com:5000/mnema"


def another_envoy(objects: Objects) -> None:
    pod(objects, "mnema-gateway")["containers"][0]["image"] = "docker.io/envoyproxy/envoy:v1.20.0"


def misspell_a_setting(objects: Objects) -> None:
    settings(objects)["MNEMA_SERVRE__PORT"] = "50051"


def give_a_wrong_value(objects: Objects) -> None:
    settings(objects)["MNEMA_SERVER__PORT"] = "http"


def drain_too_long(objects: Objects) -> None:
    settings(objects)["MNEMA_SERVER__DRAIN_SECONDS"] = "300"


def point_a_peer_nowhere(objects: Objects) -> None:
    settings(objects)["MNEMA_PEERS__VECTOR"] = "mnema-vectors:50051"


def open_the_root(objects: Objects) -> None:
    del pod(objects, "mnema-recall")["containers"][0]["securityContext"]["readOnlyRootFilesystem"]


def link_services(objects: Objects) -> None:
    del pod(objects, "mnema-worker")["enableServiceLinks"]


def fix_the_size(objects: Objects) -> None:
    named(objects, "Deployment", "mnema-ingest")["spec"]["replicas"] = 3


BROKEN: dict[Callable[[Objects], None], str] = {
    misspell_a_key: "'imagePullPolice' was unexpected",
    lose_a_target: "no Deployment serves the target graph",
    serve_no_target: "serves graphs, which is no target",
    unpin: "is not pinned",
    another_envoy: "the tests run Envoy",
    misspell_a_setting: "no such settings: MNEMA_SERVRE__PORT",
    give_a_wrong_value: "server.port",
    drain_too_long: "needs 315 s to end",
    point_a_peer_nowhere: "MNEMA_PEERS__VECTOR is no Service",
    open_the_root: "the securityContext is not closed",
    link_services: "enableServiceLinks must be false",
    fix_the_size: "has replicas, and an autoscaler",
}


@pytest.fixture
def objects(rendered: str) -> Objects:
    return [each for each in yaml.safe_load_all(rendered) if each]


def test_the_manifests_pass(objects: Objects, check: Callable[[Objects], list[str]]) -> None:
    assert check(objects) == []


@pytest.mark.parametrize(("break_it", "said"), BROKEN.items())
def test_what_breaks_is_named(
    break_it: Callable[[Objects], None],
    said: str,
    objects: Objects,
    check: Callable[[Objects], list[str]],
) -> None:
    break_it(objects)
    assert any(said in fault for fault in check(objects))


def test_imports_have_room_to_wait_in(rendered: str) -> None:
    """On the one volume that is neither the image nor memory."""
    objects: Objects = list(yaml.safe_load_all(rendered))
    reflect = pod(objects, "mnema-reflect")
    (home,) = [each for each in reflect["volumes"] if each["name"] == "home"]
    limit = int(home["emptyDir"]["sizeLimit"].removesuffix("Gi")) * 2**30
    assert limit >= LIMITS.imports_at_once * LIMITS.max_record_bytes
    (mount,) = [each for each in reflect["containers"][0]["volumeMounts"] if each["name"] == "home"]
    assert mount["mountPath"] == settings(objects)["MNEMA_HOME"]
