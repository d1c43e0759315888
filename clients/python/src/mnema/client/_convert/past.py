"""Rollbacks and timelines."""

from mnema.client._convert.graph import edge_of
from mnema.client._convert.memories import memory_of
from mnema.client._convert.messages import message_of
from mnema.client._convert.times import moment_of
from mnema.client.past import RollbackResult, TimelineEntry
from mnema.v1 import memory_service_pb2 as pb


def rollback_of(rollback: pb.Rollback) -> RollbackResult:
    """A rollback as callers see it."""
    return {
        "rollback_id": rollback.rollback_id,
        "to_time": moment_of(rollback.to_time),
        "created_at": moment_of(rollback.created_at),
        "undoes": rollback.undoes or None,
        "memories_retracted": rollback.memories_retracted,
        "memories_restored": rollback.memories_restored,
        "edges_retracted": rollback.edges_retracted,
        "edges_restored": rollback.edges_restored,
        "nodes_retracted": rollback.nodes_retracted,
        "nodes_restored": rollback.nodes_restored,
        "key_values_retracted": rollback.key_values_retracted,
        "key_values_restored": rollback.key_values_restored,
        "emotion_profile_changed": rollback.emotion_profile_changed,
    }


def timeline_entry(entry: pb.TimelineEntry) -> TimelineEntry:
    """An entry of a timeline as callers see it."""
    told: TimelineEntry = {
        "kind": "edge",
        "event_time": moment_of(entry.event_time),
        "memory": None,
        "message": None,
        "edge": None,
    }
    if entry.HasField("memory"):
        told["kind"], told["memory"] = "memory", memory_of(entry.memory)
    elif entry.HasField("message"):
        told["kind"], told["message"] = "message", message_of(entry.message)
    else:
        told["edge"] = edge_of(entry.edge)
    return told
