"""Whether a record is as one must be, before anything of it is stored.

What a column may hold follows from its type, which the catalogue knows, and from the limit that
the contract has for a field of its name. Only what neither of them says has a line here.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.reflect.lifecycle.values import (
    Check,
    check_of,
    counts_check,
    json_check,
    moment_of,
    said_check,
)
from services.runtime import limits
from services.runtime.limits import Json, Number, Rule, Text
from services.storage.options import what_is_wrong
from services.storage.owner_tables import OwnerTable
from services.storage.places import MAX_SEQUENCE, MAX_SESSION
from services.storage.portable import record_columns, refused
from services.storage.relations import EDGE_TYPES, NODE_TYPES

TOLERANCE = timedelta(seconds=60)
"""How far record times may be ahead of the database's clock.

Clocks that are kept by themselves are less than a second apart. An import waits until the
latest record time is past, so this is also the longest that it waits.
"""

# Of columns that are called otherwise than the contract's field, or whose name it has for others.
_FIELDS: Mapping[str, str] = {
    "memories.content": "mnema.v1.Memory.content",
    "memories.emotion_label": "label",
    "graph_edges.content": "mnema.v1.Edge.content",
    "documents.source_text": "mnema.v1.CreateFileFromTextRequest.content",
}
_NODE_TYPE = Text(limits.DEFAULT_TEXT.maximum, one_of=NODE_TYPES)
# Numbering goes on behind what was imported: the first half of all places is for it.
_NUMBER = Number(1, MAX_SESSION // 2)
_RULES: Mapping[str, Rule] = {
    "sessions.number": _NUMBER,
    "documents.number": _NUMBER,
    "messages.sequence": Number(1, MAX_SEQUENCE // 2),
    "chunks.position": Number(0, MAX_SEQUENCE),
    "graph_nodes.node_type": _NODE_TYPE,
    "pathways.node_type": _NODE_TYPE,
    "graph_edges.source_type": _NODE_TYPE,
    "graph_edges.target_type": _NODE_TYPE,
    "graph_edges.edge_type": Text(limits.DEFAULT_TEXT.maximum, one_of=EDGE_TYPES),
    # What extraction finds has longer names than a caller may give.
    **dict.fromkeys(("memories.slot", "graph_edges.custom_type"), limits.DEFAULT_TEXT),
    **dict.fromkeys(("graph_nodes.name", "graph_nodes.node_id"), limits.DEFAULT_TEXT),
    "pathways.node_id": limits.DEFAULT_TEXT,
}
# Of what the program itself keeps: as much as a caller may keep in one place.
_JSON = Json(256 * limits.KIB)
_SAID = frozenset({"messages.content", "memories.content", "chunks.content"})
# When something was true; all other times are of what was done here, which lies in the past.
_EVENT_TIMES = frozenset({"event_at", "said_at", "valid_from", "valid_to"})
# Beside being JSON.
_FURTHER: Mapping[str, Check] = {
    "users.settings": what_is_wrong,
    "emotion_profiles.label_counts": counts_check,
    "emotion_profiles.trigger_counts": counts_check,
}


class RecordChecks:
    """The checks of one import, at a moment of the database's clock.

    `newest` is the latest record time of all that were checked.
    """

    def __init__(self, tables: Sequence[OwnerTable], moment: datetime) -> None:
        self.newest = datetime.min.replace(tzinfo=UTC)
        self._latest = moment + TOLERANCE
        self._tables = {table.name: table for table in tables}
        self._checks: dict[str, Mapping[str, Check]] = {}

    def check(self, kind: str, record: Mapping[str, Any], number: int) -> None:
        """InvalidArgument, with the record's number, says what is wrong with it."""
        checks = self._checks.get(kind)
        if checks is None:
            checks = self._checks[kind] = self._checks_of(kind, number)
        for column, value in record.items():
            check = checks.get(column)
            if check is None:
                raise refused(number, kind, f"a record of this kind has no {column!r}")
            wrong = check(value)
            if wrong is not None:
                raise refused(number, kind, f"{column} {wrong}")

    def _checks_of(self, kind: str, number: int) -> Mapping[str, Check]:
        table = self._tables.get(kind)
        if table is None:
            raise refused(number, kind, "there is no such kind of record")
        return {column: self._check_of(table, column) for column in record_columns(table)}

    def _check_of(self, table: OwnerTable, column: str) -> Check:
        name, type_name = f"{table.name}.{column}", table.columns[column]
        rule = _rule_of(name, column)
        if type_name == "jsonb":
            json_rule = rule if isinstance(rule, Json) else _JSON
            shape = json_check(json_rule, is_object=column in table.objects)
            return _both(shape, _FURTHER.get(name))
        if type_name == "timestamp with time zone":
            return _or_null(self._event_time if column in _EVENT_TIMES else self._record_time)
        if name in _SAID and isinstance(rule, Text):
            return said_check(rule)
        return _or_null(check_of(type_name, rule))

    def _event_time(self, value: Any) -> str | None:
        return None if moment_of(value) else "must be a time of the years 2 to 9998, with its zone"

    def _record_time(self, value: Any) -> str | None:
        moment = moment_of(value)
        if moment is None:
            return self._event_time(value)
        self.newest = max(self.newest, moment)
        if moment <= self._latest:
            return None
        ahead = (moment - self._latest + TOLERANCE).total_seconds()
        return f"is {ahead:.0f} s ahead of the clock here: import it later, or correct the times"


def _rule_of(name: str, column: str) -> Rule | None:
    if name in _RULES:
        return _RULES[name]
    field = _FIELDS.get(name, column)
    return limits.BY_FULL_NAME.get(field) or limits.BY_NAME.get(field)


def _both(first: Check, second: Check | None) -> Check:
    return first if second is None else lambda value: first(value) or second(value)


def _or_null(check: Check) -> Check:
    """Whether there may be none the database knows."""
    return lambda value: None if value is None else check(value)
