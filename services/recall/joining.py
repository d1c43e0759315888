"""One place for what says the same: a memory, and the message that it was taken from."""

from collections.abc import Iterable, MutableSequence, Sequence
from typing import Protocol, TypeVar

from mnema.v1 import recall_service_pb2 as pb


class Placed(Protocol):
    """A result, as far as joining looks at it; it adds to `memory_ids`."""

    @property
    def source(self) -> "pb.ResultSource.ValueType":
        """What it is."""

    @property
    def id(self) -> str:
        """Of the memory, message or edge."""

    @property
    def source_message_ids(self) -> Sequence[str]:
        """What it rests on."""

    @property
    def memory_ids(self) -> MutableSequence[str]:
        """The memories that share its place."""


Result = TypeVar("Result", bound=Placed)


def joined(ranked: Iterable[Result]) -> list[Result]:
    """The results, the best first, such that each says something else.

    A message joins the best memory before it that rests on it. A memory joins the best of
    its messages if all of them stand before it: then it says nothing that they do not. Two
    memories of one message stay two. The results are changed in place.
    """
    kept: list[Result] = []
    messages: dict[str, Result] = {}
    memories: set[str] = set()  # the messages that a memory before rests on
    for result in ranked:
        if result.source == pb.RESULT_SOURCE_CONVERSATION:
            if result.id in memories:
                continue
            messages[result.id] = result
        elif result.source == pb.RESULT_SOURCE_VECTOR:
            sources = result.source_message_ids
            if messages and sources and all(source in messages for source in sources):
                messages[_first(sources, messages)].memory_ids.append(result.id)
                continue
            memories.update(sources)
        kept.append(result)
    return kept


def _first(message_ids: Sequence[str], messages: Iterable[str]) -> str:
    """The best of these messages; `messages` has the best first."""
    return next(each for each in messages if each in message_ids)
