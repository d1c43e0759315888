"""Which facts the time filters of a recall let pass."""

from datetime import UTC, datetime

import pytest

from mnema.v1 import graph_service_pb2 as graph_pb
from mnema.v1 import recall_service_pb2 as pb
from services.recall.fact_times import asks_for_times, of_the_times

MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))


def fact(stored: datetime, since: datetime | None = None) -> graph_pb.GraphFact:
    made = graph_pb.GraphFact()
    made.edge.created_at.FromDatetime(stored)
    if since is not None:
        made.edge.valid_from.FromDatetime(since)
    return made


def asked(**times: datetime) -> pb.RecallRequest:
    request = pb.RecallRequest()
    for name, moment in times.items():
        getattr(request, name).FromDatetime(moment)
    return request


@pytest.mark.parametrize(
    ("times", "passes"),
    [
        ({"created_after": JUNE}, True),
        ({"created_before": JUNE}, False),
        ({"created_before": JULY}, True),
        ({"created_after": JULY}, False),
        ({"event_after": MAY, "event_before": JUNE}, True),
        ({"event_before": MAY}, False),
        ({"event_after": JUNE}, False),
        ({"created_after": JUNE, "event_after": JUNE}, False),
    ],
)
def test_intervals_are_half_open_and_all_must_hold(
    times: dict[str, datetime], passes: bool
) -> None:
    known = fact(stored=JUNE, since=MAY)
    assert asks_for_times(asked(**times))
    assert of_the_times([known], asked(**times)) == ([known] if passes else [])


def test_what_has_no_event_time_is_in_no_interval_of_it() -> None:
    known = fact(stored=JUNE)
    assert of_the_times([known], asked(event_after=MAY)) == []
    assert of_the_times([known], asked(event_before=JULY)) == []
    assert of_the_times([known], asked(created_after=MAY)) == [known]
    assert not asks_for_times(asked(as_of=MAY))
