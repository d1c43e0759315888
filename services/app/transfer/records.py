"""Records of our own format, made from what another system has."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

MEMORY_TYPES = frozenset(
    {
        *("fact", "episodic", "insight", "general", "preference", "decision", "todo", "context"),
        *("instruction", "error", "workflow", "reference"),
    }
)
Fields = Mapping[str, Any]
# When a file was made it does not say; what is always the same can be recognised.
_MADE_AT = datetime.fromtimestamp(0, UTC)


class ForeignError(Exception):
    """A file is not what it should be; the message says where and why."""


@dataclass
class Records:
    """What goes to one user. `left_out` says how many things of a kind could not be carried.

    The same file gives the same ids, and the same `request_id`: repeated, it is known again.
    """

    user_id: str
    file_identity: UUID
    records: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    _made: int = 0

    @property
    def request_id(self) -> str:
        """What the import of these is called."""
        return str(uuid5(self.file_identity, json.dumps(self._header(), sort_keys=True)))

    def new_id(self) -> UUID:
        """An id of the user and the next place in the file; ids are in their places' order."""
        self._made += 1
        own = uuid5(self.file_identity, f"{self._made} of {self.user_id}")
        return UUID(bytes=self._made.to_bytes(6, "big") + own.bytes[6:])

    def id_of(self, given: object) -> UUID:
        """The id itself if it is a UUID, one that is always the same for it, or a new one."""
        if given is None or given == "":
            return self.new_id()
        try:
            return UUID(str(given))
        except ValueError:
            return uuid5(NAMESPACE_URL, f"imported:{given}")

    def add(self, kind: str, **fields: Any) -> None:
        """Adds a record; fields that are None are left to the database's defaults."""
        kept = {name: value for name, value in fields.items() if value is not None}
        self.records.append((kind, kept))

    def leave_out(self, kind: str) -> None:
        """Notes that a thing can't be carried."""
        self.left_out[kind] = self.left_out.get(kind, 0) + 1

    def lines(self) -> list[dict[str, Any]]:
        """The lines of an export."""
        header = {"kind": "header", **self._header()}
        records = [{"kind": kind, "record": record} for kind, record in self.records]
        trailer = {"kind": "trailer", "counts": header["counts"], "file_bytes": 0}
        return [header, *records, trailer]

    def _header(self) -> dict[str, Any]:
        return {
            "format": "mnema.export",
            "version": 1,
            "user_id": self.user_id,
            "exported_at": _MADE_AT.isoformat(),
            "counts": dict(Counter(kind for kind, _ in self.records)),
        }


def add_memory(into: Records, where: str, item: Fields, content: str, **fields: Any) -> str:
    """Adds a memory with what all systems know of one; returns its id.

    A revision is recorded when it was last changed, its memory when it was made.
    """
    created = moment(where, item, "created_at") or moment(where, item, "timestamp")
    updated = moment(where, item, "updated_at") or created
    if created and updated and updated < created:
        updated = created
    memory_id = str(into.id_of(item.get("id") or item.get("memory_id")))
    if len(content) > 16_384:
        raise ForeignError(f"{where} has {len(content)} characters: a memory has at most 16,384")
    into.add(
        "memories",
        item_id=str(into.new_id()),
        memory_id=memory_id,
        content=content,
        first_recorded_at=created or updated,
        recorded_at=updated,
        last_refreshed_at=updated,
        **fields,
    )
    return memory_id


def text_in(where: str, item: Fields, *names: str) -> str:
    """The first text under one of the names. ForeignError if there is none."""
    for name in names:
        if isinstance(value := item.get(name), str) and value.strip():
            return value
    raise ForeignError(f"{where} has no {' or '.join(map(repr, names))}")


def moment(where: str, item: Fields, name: str) -> str | None:
    """A time, in UTC; without a zone it is taken for UTC. ForeignError if it is none."""
    value = item.get(name)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, (int, float)):
            found = datetime.fromtimestamp(value, UTC)
        else:
            found = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        raise ForeignError(f"{where}: {name} is no time: {value!r}") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.astimezone(UTC).isoformat()


def number_in(item: Fields, name: str, least: float, most: float) -> float | None:
    """A number within its bounds; None where there is none."""
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return min(max(value, least), most)


def objects(where: str, value: object) -> Iterator[tuple[str, Fields]]:
    """The objects of a list, each with where it stands. ForeignError if one is none."""
    if not isinstance(value, list):
        raise ForeignError(f"{where} is no list")
    for number, item in enumerate(value, 1):
        if not isinstance(item, Mapping):
            raise ForeignError(f"{where}, number {number}, is no object")
        yield f"{where}, number {number}", item


def part(item: Fields, name: str) -> Fields:
    """An object under a name; an empty one where there is none."""
    value = item.get(name)
    return value if isinstance(value, Mapping) else {}
