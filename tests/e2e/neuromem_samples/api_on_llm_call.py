from mnema.client import AsyncMnema


def on_llm_call(stats: dict):
    # stats keys: duration_ms, model, max_tokens, temperature, success
    print(f"LLM call: {stats['model']} in {stats['duration_ms']}ms")

def on_embedding_call(stats: dict):
    # stats keys: text_count, duration_ms, model, success
    print(f"Embedded {stats['text_count']} texts in {stats['duration_ms']}ms")

nm = AsyncMnema(address, api_key=api_key, on_llm_call=on_llm_call, on_embedding_call=on_embedding_call)
