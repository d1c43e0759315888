"""The whole system on one machine: PostgreSQL, every target as a process of its own, Envoy."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from services.app.credentials import Credentials, ensure_account
from services.app.targets import TARGETS, import_stubs
from services.embedded.descriptor import build_descriptor_set
from services.embedded.envoy import GatewayOptions, Upstream, gateway_process, render_config
from services.embedded.events import Listener, unheard
from services.embedded.failures import StartFailed
from services.embedded.parts import Part, Process, Step
from services.embedded.ports import free_ports, require_free
from services.embedded.postgres import EmbeddedPostgres
from services.embedded.probes import GrpcHealth
from services.embedded.supervisor import Stack

HOST = "127.0.0.1"
DEFAULT_PORT = 8080
# numpy would keep a thread a core in every process, and a log that is buffered tells too late.
LEAN = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
# The model's weights in few large pages: an embedding after a pause takes 2.9 ms, not 4.2.
LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


class LocalStack:
    """One home folder's system; `async with LocalStack(home) as stack:` starts and stops it.

    `environment` adds MNEMA_ settings to those of this process; they reach every service.
    PortTaken if `port` is in use. After the start, `address` and `api_key` are ready for calls.
    """

    def __init__(
        self,
        home: Path,
        *,
        port: int = DEFAULT_PORT,
        environment: Mapping[str, str] | None = None,
        on_event: Listener = unheard,
    ) -> None:
        """`home` is made if it is missing; all state is in it."""
        self.home = home.expanduser().absolute()
        self.port = port
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_free(port, HOST)
        self.credentials = Credentials.load(self.home)
        self.postgres = EmbeddedPostgres(self.home / "postgres")
        self._environment = dict(environment or {})
        ports = free_ports(len(TARGETS) + 1)
        self._admin_port = ports.pop()
        self.ports = dict(zip(TARGETS, ports, strict=True))
        self.stack = Stack(self.home, self._parts(), on_event=on_event)

    @property
    def address(self) -> str:
        """Host and port of the gateway, for gRPC; with http:// in front for REST."""
        return f"{HOST}:{self.port}"

    @property
    def api_key(self) -> str:
        """A key of the default tenant; there once the stack has started."""
        return self.credentials.api_key

    @property
    def service_dsn(self) -> str:
        """How the services log in to the database: under the wall."""
        return self.postgres.access().service_dsn

    async def __aenter__(self) -> "LocalStack":
        await self.stack.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.stop()

    def settings_of(self, target: str) -> dict[str, str]:
        """The MNEMA_ variables that a target is started with."""
        peers = {
            f"MNEMA_PEERS__{name.upper()}": f"{HOST}:{port}"
            for name, port in self.ports.items()
            if name != "worker"
        }
        return {
            "MNEMA_HOME": str(self.home),
            "MNEMA_DATABASE__DSN": self.service_dsn,
            "MNEMA_INTERNAL_KEY": self.credentials.internal_key,
            "MNEMA_SERVER__HOST": HOST,
            "MNEMA_SERVER__PORT": str(self.ports[target]),
            "MNEMA_FILES__PUBLIC_URL": f"http://{self.address}",
            **peers,
            **self._environment,
        }

    def _parts(self) -> list[Part]:
        parts: list[Part] = [
            self.postgres.process(),
            Step("database", self._make_database, ("postgres",)),
            Step("schema and model", self._prepare, ("database",)),
            Step("account", self._make_account, ("schema and model",)),
        ]
        parts += [self._process(name) for name in TARGETS]
        parts.append(self._gateway())
        return parts

    def _process(self, name: str) -> Process:
        return Process(
            name=name,
            argv=(sys.executable, "-m", "services.app.serve", name),
            env={
                **os.environ,
                **LEAN,
                **(LARGE_PAGES if name == "vector" else {}),
                **self.settings_of(name),
            },
            depends_on=("postgres", "schema and model"),
            ready=GrpcHealth(f"{HOST}:{self.ports[name]}"),
            ready_timeout=60.0,
        )

    def _gateway(self) -> Process:
        folder = self.home / "gateway"
        folder.mkdir(mode=0o700, exist_ok=True)
        options = GatewayOptions(
            descriptor_path=folder / "mnema.pb",
            host=HOST,
            port=self.port,
            admin_port=self._admin_port,
            access_log=self.home / "logs" / "access.log",
        )
        descriptors = build_descriptor_set(import_stubs())
        upstreams = [
            Upstream(name, HOST, self.ports[name], target.services)
            for name, target in TARGETS.items()
            if target.services
        ]
        options.descriptor_path.write_bytes(descriptors)
        config = folder / "envoy.yaml"
        config.write_text(render_config(upstreams, options, descriptors))
        return gateway_process(config, options, depends_on=tuple(u.name for u in upstreams))

    async def _make_database(self) -> None:
        await self.postgres.ensure_roles_and_database()

    async def _prepare(self) -> None:
        # In a process of its own: the model's tools would stay in this one's memory.
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.app.prepare",
            env={
                **os.environ,
                **self.settings_of("vector"),
                "MNEMA_OWNER_DSN": self.postgres.access().owner_dsn,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode != 0:
            raise StartFailed("schema and model", "failed", output.decode(errors="replace")[-4000:])

    async def _make_account(self) -> None:
        self.credentials = await ensure_account(self.home, self.service_dsn)
