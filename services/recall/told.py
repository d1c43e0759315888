"""Facts of the graph, with how much each says of what was asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnema.v1 import graph_service_pb2 as graph_pb
from mnema.v1 import recall_service_pb2 as pb
from services.recall import scoring

CERTAIN = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """A fact with its score in the merged list; `coverage` is what it holds of the question."""

    message: graph_pb.GraphFact
    fact: scoring.Fact
    coverage: float
    score: float

    @property
    def sentence(self) -> str:
        """The fact in a line."""
        return f"{self.fact.subject} -> {self.fact.relation} -> {self.fact.object}"

    @property
    def factors(self) -> pb.FactFactors:
        """What the score is made of."""
        return pb.FactFactors(
            confidence=self.fact.confidence, coverage=self.coverage, weight=scoring.FACT_WEIGHT
        )


def told(facts: Sequence[graph_pb.GraphFact], terms: frozenset[str], limit: int) -> list[Told]:
    """The facts that say the most of the question's terms, at most `limit`, the best first."""
    found = [_told(each, terms) for each in facts]
    found.sort(key=lambda each: -each.score)
    return found[:limit]


def _told(message: graph_pb.GraphFact, terms: frozenset[str]) -> Told:
    edge = message.edge
    confidence = edge.confidence if edge.HasField("confidence") else CERTAIN
    fact = scoring.Fact(message.subject, message.relation, message.object, edge.content, confidence)
    coverage = scoring.coverage(fact, terms)
    return Told(message, fact, coverage, scoring.weighed(fact, coverage))
