"""What calls about the life of a user's data return: deletions, exports, imports."""

from datetime import datetime
from typing import Any, TypedDict


class DeletionResult(TypedDict):
    """The receipt of a deletion."""

    deleted: dict[str, int]
    """How many rows were erased, by table; only those that had any."""
    deletion_id: str
    state: str
    """"deleting_files" while bytes of files are left, then "done"."""
    objects_pending: int
    """How many files' bytes are still to be deleted."""
    objects_deleted: int
    deleted_at: datetime
    finished_at: datetime | None
    expires_at: datetime
    """When the receipt itself is gone."""


class GraphData(TypedDict):
    """A user's graph."""

    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]


class UserData(TypedDict):
    """What a user has now; JSON takes it as it is. Times are texts (RFC 3339)."""

    memories: list[dict[str, Any]]
    conversations: list[dict[str, Any]]
    """The messages, each with its session."""
    graph: GraphData
    kv: list[dict[str, Any]]
    profile: dict[str, Any] | None
    """The emotion profile; None before the first digest."""
    documents: list[dict[str, Any]]
    """What is known of files; their bytes are in `export_to`."""


class ImportResult(TypedDict):
    """What was imported."""

    imported: dict[str, int]
    """How many records of each kind."""
    file_bytes: int
