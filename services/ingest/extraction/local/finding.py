"""What a rule finds in a clause, before it becomes memories and triples."""

from dataclasses import dataclass
from typing import Literal

from services.ingest.extraction.local.chinese.script import has_han
from services.ingest.extraction.model import EntityRef, JsonValue


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a clause is about.

    `display` begins the sentence ("Caroline", "Caroline's sister"); None for a nameless user, whose
    memories start with the verb ("Works at Google."). `is_node` is False when there is no name to
    make a node of ("my sister"). `is_user` says that the clause is about the user's own self.
    """

    ref: EntityRef
    display: str | None
    is_node: bool = True
    is_user: bool = False

    def sentence(self, predicate: str) -> str:
        """A whole sentence: the subject and a predicate in the third person."""
        if has_han(next(filter(str.isalpha, predicate), "")):
            return f"{self.display or ''}{predicate.rstrip('。')}。"
        text = f"{self.display} {predicate}" if self.display else predicate
        return f"{text[0].upper()}{text[1:].rstrip('.')}."


@dataclass(frozen=True, slots=True)
class Edge:
    """The relation part of a finding; `custom` is the name when `relation` is CUSTOM."""

    relation: str
    object: EntityRef
    custom: str | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing said about a subject. `predicate` is its sentence without the subject."""

    subject: Subject
    predicate: str
    memory_type: str = "fact"
    importance: int = 6
    confidence: float = 0.8
    category: str | None = None
    slot: str | None = None
    edges: tuple[Edge, ...] = ()
    profile: tuple[tuple[str, JsonValue, Literal["set", "append"]], ...] = ()
    # An event at a time ("visited"), and not a state that begins or ends then ("lives in").
    dated: bool = False
    keeps_memory: bool = True

    @property
    def content(self) -> str:
        """The self-contained sentence."""
        return self.subject.sentence(self.predicate)
