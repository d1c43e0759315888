result = await nm.digest(user_id="alice", batch_size=50, background=False)
# Returns: { "insights_generated": 2, "insights": [...], "emotion_profile": {...} }
# background=True → runs as asyncio.create_task, returns None
