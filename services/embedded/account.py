"""The system account PostgreSQL runs under, and how it reaches folders of another account.

PostgreSQL refuses to run as root. Started by root, it runs as the owner of an existing data
folder, else as `pgserver`, which is created on first use. Anybody else runs it as themselves.
"""

import errno
import os
import pwd
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.embedded.failures import PostgresError

ACCOUNT_NAME = "pgserver"
_ACL = "system.posix_acl_access"
_ACL_VERSION = struct.pack("<I", 2)
_ACL_ENTRY = struct.Struct("<HHI")
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_SEARCH = 0o1


@dataclass(frozen=True, slots=True)
class Account:
    """A system account by number."""

    name: str
    uid: int
    gid: int


def account_for(data_dir: Path) -> Account | None:
    """The account to run PostgreSQL under; None means: the one we run under already.

    Raises PostgresError when we are root, no account exists and none can be created.
    """
    if os.geteuid() != 0:
        return None
    version = data_dir / "PG_VERSION"
    if version.exists() and (owner := version.stat().st_uid) != 0:
        return _as_account(pwd.getpwuid(owner))
    try:
        return _as_account(pwd.getpwnam(ACCOUNT_NAME))
    except KeyError:
        return _create_account()


def _as_account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create_account() -> Account:
    useradd = shutil.which("useradd")
    if useradd is None:
        raise PostgresError(
            f"PostgreSQL does not run as root: create a system user {ACCOUNT_NAME!r}, "
            "or start this command as an ordinary user"
        )
    command = [useradd, "--system", "--user-group", "--no-create-home"]
    command += ["--shell", "/usr/sbin/nologin", ACCOUNT_NAME]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    try:
        return _as_account(pwd.getpwnam(ACCOUNT_NAME))
    except KeyError:
        raise PostgresError(
            f"cannot create the system user {ACCOUNT_NAME!r}: {done.stderr.strip()}"
        ) from None


def let_reach(account: Account, target: Path) -> list[Path]:
    """Lets the account pass through the folders above `target`; answers the ones it changed.

    Only the right to pass is given, neither to list nor to read, and only to this account where
    the file system keeps access lists (else to everybody). So a home below /root (mode 700) works.
    """
    closed = [folder for folder in _above(target) if not _may_pass(account, folder)]
    for folder in closed:
        _grant_passage(account, folder)
    return closed


def _above(target: Path) -> Iterator[Path]:
    yield from reversed(target.resolve().parents)


def _may_pass(account: Account, folder: Path) -> bool:
    status = folder.stat()
    if status.st_mode & _SEARCH:
        return True
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    entries = _read_acl(folder)
    mask = next((perm for tag, perm, _ in entries if tag == _MASK), 0o7)
    named = [perm for tag, perm, who in entries if tag == _USER and who == account.uid]
    if named:
        return bool(named[0] & mask & _SEARCH)
    return status.st_gid == account.gid and bool(status.st_mode & 0o010)


def _read_acl(folder: Path) -> list[tuple[int, int, int]]:
    try:
        raw = os.getxattr(folder, _ACL)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return []
        raise
    return list(_ACL_ENTRY.iter_unpack(raw[len(_ACL_VERSION) :]))


def _grant_passage(account: Account, folder: Path) -> None:
    mode = folder.stat().st_mode
    entries = _read_acl(folder) or [
        (_USER_OBJ, mode >> 6 & 0o7, _NO_ID),
        (_GROUP_OBJ, mode >> 3 & 0o7, _NO_ID),
        (_OTHER, mode & 0o7, _NO_ID),
    ]
    try:
        os.setxattr(folder, _ACL, _with_passage(entries, account.uid))
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        folder.chmod(mode | _SEARCH)


def _with_passage(entries: list[tuple[int, int, int]], uid: int) -> bytes:
    """The access list with one more line. The mask grows, so what it hid before is cut first."""
    old_mask = next((perm for tag, perm, _ in entries if tag == _MASK), 0o7)
    kept = [
        (tag, perm & old_mask if tag in (_USER, _GROUP_OBJ, _GROUP) else perm, who)
        for tag, perm, who in entries
        if tag != _MASK and not (tag == _USER and who == uid)
    ]
    kept.append((_USER, _SEARCH, uid))
    mask = 0
    for tag, perm, _ in kept:
        if tag in (_USER, _GROUP_OBJ, _GROUP):
            mask |= perm
    kept.append((_MASK, mask, _NO_ID))
    return _ACL_VERSION + b"".join(_ACL_ENTRY.pack(*entry) for entry in sorted(kept, key=_order))


def _order(entry: tuple[int, int, int]) -> tuple[int, int]:
    return entry[0], entry[2]
