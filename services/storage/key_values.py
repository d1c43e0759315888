"""Values under names. A value is any JSON, null included, and what it was before stays readable.

Writers hold `foundation.lock_owner`: two of them would give one revision twice.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.runtime.database import Connection
from services.runtime.ids import OwnerId
from services.storage.queries import load

SQL = load("key_values")
PROFILE = "profile"  # the namespace of what extraction learns of the user


@dataclass(frozen=True, slots=True)
class KeyValueRow:
    """A value under its key; `revision` counts 1, 2, 3, … and never starts anew."""

    key: str
    value: Any
    revision: int
    recorded_at: datetime


async def set_values(
    connection: Connection,
    owner_id: OwnerId,
    namespace: str,
    values: Mapping[str, Any],
    extraction_id: UUID | None = None,
) -> list[KeyValueRow]:
    """Stores values by key in place of those before; returns them as stored, in their order."""
    if not values:
        return []
    await connection.execute(SQL["retract_values"], owner_id, namespace, list(values))
    rows = await connection.fetch(
        SQL["insert_values"],
        owner_id,
        namespace,
        list(values),
        [_json(value) for value in values.values()],
        extraction_id,
    )
    stored = {row["key"]: _key_value(row) for row in rows}
    return [stored[key] for key in values]


async def append_values(
    connection: Connection,
    owner_id: OwnerId,
    namespace: str,
    key: str,
    values: Sequence[Any],
    extraction_id: UUID | None = None,
) -> KeyValueRow:
    """Adds to the list under a key what it does not hold yet.

    A value that is no list becomes the first of one; texts that differ only in case are the
    same. Where nothing is new, nothing is stored.
    """
    present = (await get_values(connection, owner_id, namespace, [key])).get(key)
    if present is not None and appended(present.value, values) == present.value:
        return present
    value = appended([] if present is None else present.value, values)
    (row,) = await set_values(connection, owner_id, namespace, {key: value}, extraction_id)
    return row


def appended(held: Any, values: Sequence[Any]) -> list[Any]:
    """The list `held`, or one of it, with those of `values` that it lacks."""
    known = list(held) if isinstance(held, list) else [held]
    names = {_folded(value) for value in known}
    for value in values:
        if _folded(value) not in names:
            names.add(_folded(value))
            known.append(value)
    return known


async def get_values(
    connection: Connection, owner_id: OwnerId, namespace: str, keys: Sequence[str]
) -> dict[str, KeyValueRow]:
    """The present values of these keys; those without one are left out."""
    rows = await connection.fetch(SQL["get_values"], owner_id, namespace, list(keys))
    return {row["key"]: _key_value(row) for row in rows}


async def get_value(
    connection: Connection,
    owner_id: OwnerId,
    namespace: str,
    key: str,
    as_of: datetime | None = None,
) -> KeyValueRow | None:
    """The value now, or as it stood at `as_of`; None if there was none."""
    if as_of is None:
        row = await connection.fetchrow(SQL["get_value"], owner_id, namespace, key)
    else:
        row = await connection.fetchrow(SQL["get_value_as_of"], owner_id, namespace, key, as_of)
    return _key_value(row) if row else None


async def list_values(
    connection: Connection,
    owner_id: OwnerId,
    namespace: str,
    *,
    prefix: str = "",
    after: str = "",
    limit: int,
    as_of: datetime | None = None,
) -> list[KeyValueRow]:
    """The values whose keys begin with `prefix`, by key (code points), behind the key `after`."""
    arguments: list[object] = [owner_id, namespace, prefix, after, limit]
    if as_of is None:
        rows = await connection.fetch(SQL["list_values"], *arguments)
    else:
        rows = await connection.fetch(SQL["list_values_as_of"], *arguments, as_of)
    return [_key_value(row) for row in rows]


async def delete_values(
    connection: Connection, owner_id: OwnerId, namespace: str, keys: Sequence[str]
) -> list[str]:
    """Takes values back; returns the keys that had one."""
    rows = await connection.fetch(SQL["retract_values"], owner_id, namespace, list(keys))
    return [row["key"] for row in rows]


def _key_value(row: asyncpg.Record) -> KeyValueRow:
    return KeyValueRow(**dict(row))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _folded(value: Any) -> str:
    return value.casefold() if isinstance(value, str) else json.dumps(value, sort_keys=True)
