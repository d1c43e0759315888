"""What says the same takes one place of the merged list."""

from mnema.v1 import recall_service_pb2 as pb
from services.recall.joining import joined


def memory(name: str, *sources: str) -> pb.MergedResult:
    return pb.MergedResult(source=pb.RESULT_SOURCE_VECTOR, id=name, source_message_ids=sources)


def message(name: str) -> pb.MergedResult:
    return pb.MergedResult(source=pb.RESULT_SOURCE_CONVERSATION, id=name, source_message_ids=[name])


def fact(name: str, *sources: str) -> pb.MergedResult:
    return pb.MergedResult(source=pb.RESULT_SOURCE_GRAPH, id=name, source_message_ids=sources)


def names(*ranked: pb.MergedResult) -> list[str]:
    return [each.id for each in joined(ranked)]


def test_a_message_joins_the_better_memory_that_rests_on_it() -> None:
    (kept,) = joined([memory("m", "s"), message("s")])
    assert (kept.id, list(kept.source_message_ids)) == ("m", ["s"])
    assert names(memory("m", "s", "t"), message("s"), message("t"), message("u")) == ["m", "u"]


def test_a_memory_joins_its_better_message() -> None:
    (kept,) = joined([message("s"), memory("m", "s"), memory("n", "s")])
    assert (kept.id, list(kept.memory_ids)) == ("s", ["m", "n"])
    assert kept.source == pb.RESULT_SOURCE_CONVERSATION


def test_a_memory_stays_while_one_of_its_messages_is_not_there() -> None:
    assert names(message("s"), memory("m", "s", "t"), message("t")) == ["s", "m"]
    kept = joined([message("t"), message("s"), memory("m", "s", "t")])
    assert [(each.id, list(each.memory_ids)) for each in kept] == [("t", ["m"]), ("s", [])]


def test_two_memories_of_one_message_are_two() -> None:
    assert names(memory("m", "s"), memory("n", "s"), message("s")) == ["m", "n"]


def test_what_rests_on_nothing_and_facts_stand_alone() -> None:
    ranked = (memory("m"), memory("n"), message("s"), fact("f", "s"), fact("g", "s"))
    assert names(*ranked) == ["m", "n", "s", "f", "g"]
