result = await nm.recall(
    user_id="alice",
    query="Where does Alice work?",
    limit=20,
    memory_type=None,           # filter: "fact", "episodic", "insight", "general"
    created_after=None,         # datetime filter
    as_of=None,                 # time-travel: recall as of a past point
)
# Returns: { "vector_results": [...], "graph_results": [...],
#            "graph_context": [...], "user_profile": {...}, "merged": [...] }

# Use merged results (recommended)
for mem in result["merged"]:
    print(f"[{mem['source']}] {mem['content']} (score: {mem['score']:.2f})")
