msg = await nm.ingest(
    user_id="alice",
    role="user",          # "user" or "assistant"
    content="I work at Google as a backend engineer",
    session_id=None,      # auto-creates new session if None
)
# -> auto-extracts: fact "works at Google", fact "backend engineer"
