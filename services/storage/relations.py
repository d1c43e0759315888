"""The words of the graph: kinds of nodes, kinds of edges, and how a name becomes an id."""

import re
from dataclasses import dataclass

from services.text.normal_form import nfkc

USER = "USER"
CUSTOM = "CUSTOM"

NODE_TYPES = (
    USER,
    "MEMORY",
    "CONCEPT",
    "ENTITY",
    "PERSON",
    "ORGANIZATION",
    "LOCATION",
    "EVENT",
    "SKILL",
)
EDGE_TYPES = (
    "HAS_MEMORY",
    "MENTIONS",
    "RELATED_TO",
    "KNOWS",
    "ABOUT",
    "WORKS_AT",
    "LIVES_IN",
    "HAS_SKILL",
    "STUDIED_AT",
    "BELONGS_TO",
    "USES",
    "MET",
    "ATTENDED",
    "VISITED",
    "OCCURRED_AT",
    "OCCURRED_ON",
    "HOBBY",
    "OWNS",
    "LOCATED_IN",
    "BORN_IN",
    "SPEAKS",
    "COLLEAGUE",
    CUSTOM,
)

# One target at a time: a newer one closes the older one.
SINGLE_VALUED = frozenset(
    {"WORKS_AT", "LIVES_IN", "BORN_IN", "LOCATED_IN", "OCCURRED_AT", "OCCURRED_ON"}
)
# Of these, what can't change but only be corrected: the older target was never true, so its
# edge is taken back instead of given an end.
CORRECTED = frozenset({"BORN_IN"})

_NOT_A_WORD = re.compile(r"[^\w]+")


@dataclass(frozen=True, slots=True, order=True)
class NodeKey:
    """The identity of a node: its kind (of NODE_TYPES) and its id within the kind."""

    node_type: str
    node_id: str


@dataclass(frozen=True, slots=True)
class NodeRef:
    """A node as a statement names it: identity, and the name as people write it."""

    node_type: str
    node_id: str
    name: str

    @property
    def key(self) -> NodeKey:
        """Its identity."""
        return NodeKey(self.node_type, self.node_id)


def node_id_of(name: str) -> str:
    """The id of a name: "New York" and "new  york" are both "new_york".

    Letters of any script are kept. A name without a letter or digit (an emoji) is its own id.
    """
    folded = nfkc(name).casefold()
    return _NOT_A_WORD.sub("_", folded).strip("_") or folded.strip()


def named(node_type: str, name: str) -> NodeRef:
    """The node that a name stands for."""
    return NodeRef(node_type, node_id_of(name), name)
