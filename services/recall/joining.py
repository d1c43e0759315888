"""One place for what says the same: a memory, and the message that it was taken from."""

from collections.abc import Iterable

from mnema.v1 import recall_service_pb2 as pb


def joined(ranked: Iterable[pb.MergedResult]) -> list[pb.MergedResult]:
    """The results, the best first, such that each says something else.

    A message joins the best memory before it that rests on it. A memory joins the best of
    its messages if all of them stand before it: then it says nothing that they do not. Two
    memories of one message stay two. The results are changed in place.
    """
    kept: list[pb.MergedResult] = []
    messages: dict[str, pb.MergedResult] = {}
    memories: dict[str, pb.MergedResult] = {}  # the best that rests on each message
    for result in ranked:
        sources = list(result.source_message_ids)
        if result.source == pb.RESULT_SOURCE_CONVERSATION:
            if result.id in memories:
                continue
            messages[result.id] = result
        elif result.source == pb.RESULT_SOURCE_VECTOR:
            if sources and all(source in messages for source in sources):
                messages[_first(sources, kept)].memory_ids.append(result.id)
                continue
            for source in sources:
                memories.setdefault(source, result)
        kept.append(result)
    return kept


def _first(message_ids: list[str], kept: Iterable[pb.MergedResult]) -> str:
    """The best of these messages."""
    return next(result.id for result in kept if result.id in message_ids)
