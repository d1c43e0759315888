"""The time filters of a recall, as far as facts of the graph are concerned."""

from collections.abc import Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from mnema.v1 import graph_service_pb2 as graph_pb
from mnema.v1 import recall_service_pb2 as pb

_FROM: Final = ("created_after", "event_after")
_TO: Final = ("created_before", "event_before")


def asks_for_times(request: pb.RecallRequest) -> bool:
    """Whether any of the filters is set."""
    return any(request.HasField(name) for name in (*_FROM, *_TO))


def of_the_times(
    facts: Sequence[graph_pb.GraphFact], request: pb.RecallRequest
) -> list[graph_pb.GraphFact]:
    """The facts that were stored, and have been true since, when the request says."""
    return [fact for fact in facts if _stands(fact, request)]


def _stands(fact: graph_pb.GraphFact, request: pb.RecallRequest) -> bool:
    """Whether all that is asked holds: after ≤ moment < before. An unknown moment never does."""
    edge = fact.edge
    stored = _moment(edge.created_at)
    since = _moment(edge.valid_from) if edge.HasField("valid_from") else None
    for start in _FROM:
        moment = stored if start.startswith("created") else since
        asked = request.HasField(start)
        if asked and (moment is None or moment < _moment(getattr(request, start))):
            return False
    for end in _TO:
        moment = stored if end.startswith("created") else since
        asked = request.HasField(end)
        if asked and (moment is None or moment >= _moment(getattr(request, end))):
            return False
    return True


def _moment(stamp: Timestamp) -> int:
    return stamp.seconds * 1_000_000_000 + stamp.nanos
