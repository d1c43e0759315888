# Batch add messages
session_id, msg_ids = await nm.conversations.add_messages_batch(
    user_id, messages=[{"role": "user", "content": "..."}], session_id=None
)

# Get session messages
msgs = await nm.conversations.get_session_messages(user_id, session_id, limit=100, offset=0)

# Get unextracted messages
msgs = await nm.conversations.get_unextracted_messages(user_id, session_id=None, limit=100)

# Close session
await nm.conversations.close_session(user_id, session_id)

# List sessions
sessions = await nm.conversations.list_sessions(user_id, limit=10)
# -> [ConversationSession with: session_id, message_count, created_at, updated_at]
