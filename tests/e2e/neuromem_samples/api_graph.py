from mnema.client.graph import NodeType, EdgeType

# NodeType: USER, MEMORY, CONCEPT, ENTITY, PERSON, ORGANIZATION, LOCATION, EVENT, SKILL
# EdgeType: HAS_MEMORY, MENTIONS, RELATED_TO, KNOWS, ABOUT,
#           WORKS_AT, LIVES_IN, HAS_SKILL, STUDIED_AT, BELONGS_TO, USES,
#           MET, ATTENDED, VISITED, OCCURRED_AT, OCCURRED_ON,
#           HOBBY, OWNS, LOCATED_IN, BORN_IN, SPEAKS, COLLEAGUE, CUSTOM

# Create nodes and edges
await nm.graph.create_node(NodeType.USER, "alice", properties={"name": "Alice"})
await nm.graph.create_edge(
    NodeType.USER, "alice", EdgeType.WORKS_AT,
    NodeType.ENTITY, "google", properties={"since": "2023"}
)

# Query
node = await nm.graph.get_node(user_id, NodeType.USER, "alice")
neighbors = await nm.graph.get_neighbors(
    user_id, NodeType.USER, "alice",
    edge_types=[EdgeType.WORKS_AT], direction="both", limit=10
)
paths = await nm.graph.find_path(
    NodeType.USER, "alice", NodeType.ENTITY, "google", max_depth=3
)

# Update / Delete
await nm.graph.update_node(NodeType.USER, "alice", properties={"age": 31})
await nm.graph.delete_node(NodeType.USER, "alice")
