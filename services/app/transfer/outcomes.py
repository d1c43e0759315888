"""What becomes of each user of another system's export: imported, there already, or failed."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mnema.client import FailedPrecondition, Mnema, MnemaError, NotFound
from services.app.transfer.records import Records

State = Literal["imported", "already there", "failed"]
_COLORS: Mapping[State, str] = {"imported": "green", "already there": "cyan", "failed": "red"}
# What a thing is known by again; those that have nothing of the kind come with others.
_IDENTITIES: Mapping[str, tuple[str, ...]] = {
    "sessions": ("session_id",),
    "messages": ("message_id",),
    "memories": ("memory_id",),
    "graph_nodes": ("node_type", "node_id"),
    "graph_edges": ("edge_id",),
    "key_values": ("namespace", "key"),
    "documents": ("file_id",),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one user. `said` is how much was imported, or why nothing was."""

    user_id: str
    state: State
    said: str
    left_out: Mapping[str, int] = field(default_factory=dict)


def import_records(memory: Mnema, records: Records) -> Outcome:
    """Imports what goes to one user; whatever fails is an outcome, too."""
    user_id = records.user_id
    try:
        had_something = _has_something(memory, user_id)
        try:
            result = memory.import_from(user_id, records.lines(), request_id=records.request_id)
        except FailedPrecondition as refused:
            # Done longer ago than answers are kept: then all of it is there.
            if not _holds(memory, records):
                return Outcome(user_id, "failed", str(refused))
            return Outcome(user_id, "already there", "")
    except (MnemaError, ValueError) as error:
        return Outcome(user_id, "failed", str(error))
    # Of a user who has something only an answer that was given before is given.
    state: State = "already there" if had_something else "imported"
    return Outcome(user_id, state, counted(result["imported"]), records.left_out)


def counted(records: Mapping[str, int]) -> str:
    """Such as "2 memories, 1 users"."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(records.items())) or "nothing"


def show_outcomes(console: Console, outcomes: Sequence[Outcome]) -> None:
    """A line for each user, and what could not be carried."""
    table = Table(
        "user", "outcome", "records, or why not", box=None, header_style="dim", pad_edge=False
    )
    for outcome in outcomes:
        state = f"[{_COLORS[outcome.state]}]{outcome.state}[/]"
        table.add_row(escape(outcome.user_id), state, escape(outcome.said))
    console.print(table)
    for outcome in outcomes:
        for kind, count in outcome.left_out.items():
            console.print(f"[yellow]left out[/]: {count} {kind}", highlight=False)


def _has_something(memory: Mnema, user_id: str) -> bool:
    try:
        with closing(memory.iter_export(user_id)) as lines:
            return bool(next(lines)["counts"].keys() - {"users"})
    except NotFound:
        return False


def _holds(memory: Mnema, records: Records) -> bool:
    """Whether everything of the file is among what the user has."""
    missing = {identity for each in records.records if (identity := _identity(*each))}
    if not missing:
        return False
    with closing(memory.iter_export(records.user_id)) as lines:
        for line in lines:
            if "record" in line:
                missing.discard(_identity(line["kind"], line["record"]))
    return not missing


def _identity(kind: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    columns = _IDENTITIES.get(kind)
    return () if columns is None else (kind, *(str(record[column]) for column in columns))
