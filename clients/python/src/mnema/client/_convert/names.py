"""The contract's enums as the short names that callers use, and back."""

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from mnema.v1 import (
    account_service_pb2,
    event_service_pb2,
    memory_service_pb2,
    reflect_service_pb2,
    types_pb2,
    vector_service_pb2,
)

Number = TypeVar("Number", bound=int)


class Names(Generic[Number]):
    """The values of one enum, such as MEMORY_TYPE_FACT, as "fact"."""

    def __init__(self, values: Iterable[tuple[str, Number]], prefix: str, what: str) -> None:
        self._what = what
        self._number = {name.removeprefix(prefix).lower(): value for name, value in values}
        self._name = {int(value): name for name, value in self._number.items()}
        del self._number["unspecified"]

    def number(self, name: str) -> Number:
        """The value of a name, in any case.

        Raises:
            ValueError: there is none of that name.
        """
        found = self._number.get(str(name).lower())
        if found is None:
            raise ValueError(f"{name!r} is no {self._what}: use {', '.join(self._number)}")
        return found

    def numbers(self, names: str | Iterable[str] | None) -> list[Number]:
        """The values of one name, of several, or of none."""
        if names is None:
            return []
        return [self.number(name) for name in ([names] if isinstance(names, str) else names)]

    def name(self, number: int) -> str:
        """The name of a value; a value newer than this client is named by its number."""
        return self._name.get(number, str(number))


def texts(values: str | Sequence[str] | None) -> list[str]:
    """One text, several, or none, as a list: a bare string is not a list of its letters."""
    if values is None:
        return []
    return [values] if isinstance(values, str) else list(values)


MEMORY_TYPES = Names(types_pb2.MemoryType.items(), "MEMORY_TYPE_", "memory type")
NODE_TYPES = Names(types_pb2.NodeType.items(), "NODE_TYPE_", "node type")
EDGE_TYPES = Names(types_pb2.EdgeType.items(), "EDGE_TYPE_", "edge type")
EXTRACTION_STATES = Names(
    types_pb2.ExtractionState.items(), "EXTRACTION_STATE_", "extraction state"
)
ITEM_KINDS = Names(vector_service_pb2.ItemKind.items(), "ITEM_KIND_", "kind of item")
TIMELINE_KINDS = Names(memory_service_pb2.TimelineKind.items(), "TIMELINE_KIND_", "kind of entry")
KEY_KINDS = Names(account_service_pb2.ApiKeyKind.items(), "API_KEY_KIND_", "kind of API key")
DIGEST_STATES = Names(reflect_service_pb2.DigestState.items(), "DIGEST_STATE_", "digest state")
DIGEST_TRIGGERS = Names(
    reflect_service_pb2.DigestTrigger.items(), "DIGEST_TRIGGER_", "digest trigger"
)
EVENT_TYPES = Names(event_service_pb2.EventType.items(), "EVENT_TYPE_", "type of event")
LLM_PURPOSES = Names(event_service_pb2.LlmPurpose.items(), "LLM_PURPOSE_", "purpose")
MEMORY_CHANGES = Names(event_service_pb2.MemoryChange.items(), "MEMORY_CHANGE_", "change")
