# 1. Store user message (auto-extracts memories)
await nm.ingest(user_id="alice", role="user", content="I work at Google")

# 2. Recall relevant memories
result = await nm.recall(user_id="alice", query="work", limit=5)

# 3. Generate reply with your LLM using recalled context
reply = your_llm.generate(context=result["merged"])

# 4. Store assistant reply
await nm.ingest(user_id="alice", role="assistant", content=reply)
