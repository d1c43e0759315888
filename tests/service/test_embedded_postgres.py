"""PostgreSQL from the wheel: started, stopped, killed, found again; its roles and database."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import pytest_asyncio

from services.embedded import postmaster, roles
from services.embedded.account import Account, account_for, let_reach
from services.embedded.failures import AlreadyRunning, PostgresError
from services.embedded.ports import free_ports
from services.embedded.postgres import EmbeddedPostgres, binaries
from tests.patience import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder whose parent others may not enter, as a home below /root is."""
    closed = Path(tempfile.mkdtemp(prefix="mnema-pg-test-"))
    closed.chmod(0o700)
    yield closed / "home"
    shutil.rmtree(closed)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(home: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(home / "postgres") as server:
        await server.ensure_roles_and_database()
        yield server


async def fetch(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=PATIENCE)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def until_back(server: EmbeddedPostgres, old_pid: int | None) -> None:
    deadline = time.monotonic() + PATIENCE
    while server.pid in (None, old_pid) or not await server.process().ready():  # type: ignore[misc]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_the_services_role_is_held_by_row_level_security(server: EmbeddedPostgres) -> None:
    access = server.access()
    assert await fetch(access.service_dsn, "SELECT current_user::text") == roles.SERVICE
    powers = "SELECT rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole FROM pg_roles"
    for role in (roles.SERVICE, roles.OWNER):
        assert await fetch(access.service_dsn, f"{powers} WHERE rolname = '{role}'") is False
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await fetch(access.service_dsn, "CREATE TABLE mine (id int)")


async def test_the_owner_makes_tables_with_vectors(server: EmbeddedPostgres) -> None:
    access = server.access()
    await fetch(access.owner_dsn, "CREATE TABLE embedded_test (v vector(3))")
    await fetch(access.owner_dsn, "INSERT INTO embedded_test VALUES ('[1,2,3]')")
    nearest = "SELECT v <-> '[1,2,4]' FROM embedded_test"
    assert await fetch(access.owner_dsn, nearest) == 1.0
    owner = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = 'mnema'"
    assert await fetch(access.owner_dsn, owner) == roles.OWNER
    await fetch(access.owner_dsn, "DROP TABLE embedded_test")


async def test_making_roles_again_changes_nothing(server: EmbeddedPostgres) -> None:
    count = "SELECT count(*) FROM pg_roles"
    before = await fetch(server.dsn(), count)
    assert await server.ensure_roles_and_database() == server.access()
    assert await fetch(server.dsn(), count) == before


async def test_the_operators_script_runs_in_psql_as_an_administrator(
    server: EmbeddedPostgres,
) -> None:
    """As on a managed server: the administrator may create roles and databases, no more."""
    await fetch(server.dsn(), "CREATE ROLE admin LOGIN CREATEROLE CREATEDB")
    # Managed servers let their administrator create the extension; here it is put in place.
    await fetch(server.dsn("template1"), "CREATE EXTENSION IF NOT EXISTS vector")
    await fetch(server.dsn(), f"GRANT {roles.OWNER} TO admin WITH ADMIN OPTION")
    script = roles.bootstrap_script('mnema "managed"').replace("template0", "template1")
    for _ in range(2):
        psql = await asyncio.create_subprocess_exec(
            binaries() / "psql",
            "--no-psqlrc",
            server.dsn("postgres", "admin"),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaints = await asyncio.wait_for(psql.communicate(script.encode()), PATIENCE)
        assert psql.returncode == 0, complaints
    access = server.access('mnema "managed"')
    assert await fetch(access.service_dsn, "SELECT '[1]'::vector::text") == "[1]"


async def test_a_role_that_bypasses_row_level_security_is_refused(server: EmbeddedPostgres) -> None:
    await fetch(server.dsn(), f"ALTER ROLE {roles.SERVICE} BYPASSRLS")
    with pytest.raises(asyncpg.RaiseError, match="bypasses row-level security"):
        await server.ensure_roles_and_database()
    await fetch(server.dsn(), f"ALTER ROLE {roles.SERVICE} NOBYPASSRLS")


async def test_it_keeps_what_was_acknowledged_when_killed(server: EmbeddedPostgres) -> None:
    dsn = server.access().owner_dsn
    await fetch(dsn, "CREATE TABLE kept (id int)")
    await fetch(dsn, "INSERT INTO kept SELECT generate_series(1, 1000)")
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until_back(server, pid)
    assert await fetch(dsn, "SELECT count(*) FROM kept") == 1000


async def test_only_one_owner_per_folder(server: EmbeddedPostgres) -> None:
    with pytest.raises(AlreadyRunning, match=str(os.getpid())):
        await EmbeddedPostgres(server.data_dir).start()
    assert await fetch(server.dsn(), "SELECT 1") == 1


async def test_the_second_start_waits_for_nothing_and_the_socket_is_private(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedPostgres(home / "second")
    await server.start()
    await server.stop()
    # A number in a stale lock file that belongs to a stranger by now.
    (server.data_dir / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data_dir}\n")
    monkeypatch.setattr(postmaster, "_FAST", 10 * PATIENCE)  # what a leftover would be given
    made = (server.data_dir / "PG_VERSION").stat()
    async with asyncio.timeout(PATIENCE):
        await server.start()
    assert (server.data_dir / "PG_VERSION").stat() == made
    assert server.socket_dir.stat().st_mode & 0o077 == 0
    await server.stop()
    assert not (server.data_dir / "postmaster.pid").exists()


async def test_an_orphan_of_a_killed_owner_is_replaced(home: Path) -> None:
    """The owner is a process of its own and is killed; even a server that stayed is stopped."""
    folder = home / "orphaned"
    program = (
        "import asyncio, pathlib, sys\n"
        "from services.embedded.postgres import EmbeddedPostgres\n"
        "async def main():\n"
        "    server = EmbeddedPostgres(pathlib.Path(sys.argv[1]))\n"
        "    await server.start()\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    orphan = psutil.Process(int(await asyncio.wait_for(owner.stdout.readline(), PATIENCE)))
    orphan.suspend()  # so that it cannot follow the kernel's request to end
    owner.kill()
    await owner.wait()
    # It wakes up while the next owner is waiting for it.
    asyncio.get_running_loop().call_later(0.3, orphan.resume)
    async with EmbeddedPostgres(folder) as server:
        assert server.pid != orphan.pid
        assert not orphan.is_running()
        assert await fetch(server.dsn(), "SELECT 1") == 1


async def test_tcp_asks_for_the_password(home: Path) -> None:
    (port,) = free_ports(1)
    async with EmbeddedPostgres(home / "tcp", tcp_port=port) as server:
        passwords = roles.Passwords(owner="it's", service="secret")
        access = await server.ensure_roles_and_database(passwords=passwords)
        over_tcp = f"postgresql://{roles.SERVICE}:{{}}@127.0.0.1:{port}/mnema?sslmode=disable"
        assert await fetch(over_tcp.format("secret"), "SELECT 1") == 1
        with pytest.raises(asyncpg.InvalidPasswordError):
            await fetch(over_tcp.format("wrong"), "SELECT 1")
        assert await fetch(access.service_dsn, "SELECT 1") == 1


async def test_a_long_folder_gets_its_socket_elsewhere(home: Path) -> None:
    server = EmbeddedPostgres(home / ("long " * 20) / "postgres")
    assert server.socket_dir.parent == Path(tempfile.gettempdir())
    async with server:
        assert await fetch(server.dsn(), "SELECT 1") == 1
        assert server.socket_dir.stat().st_mode & 0o077 == 0
    assert not server.socket_dir.exists()


async def test_a_folder_of_something_else_is_left_alone(home: Path) -> None:
    for name, files in {"other": {"a.txt": "mine"}, "old": {"PG_VERSION": "16\n"}}.items():
        (home / name).mkdir()
        for file, text in files.items():
            (home / name / file).write_text(text)
        with pytest.raises(PostgresError, match=str(home / name)):
            await EmbeddedPostgres(home / name).start()
        assert {each.name for each in (home / name).iterdir()} == set(files)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
async def test_root_opens_only_the_way_to_the_folder(home: Path, server: EmbeddedPostgres) -> None:
    account = account_for(server.data_dir)
    assert account is not None
    assert server.data_dir.stat().st_uid == account.uid
    assert home.parent.stat().st_mode & 0o007 == 0  # others still may not pass
    listed = await asyncio.to_thread(_as_account, account, ["ls", str(home.parent)])
    assert listed.returncode != 0
    assert let_reach(account, server.data_dir) == []  # nothing left to do


def _as_account(account: Account, command: list[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
