from mnema.client import AsyncMnema


def on_extraction(stats: dict):
    # stats keys: user_id, session_id, duration, facts_extracted,
    #             episodes_extracted, triples_extracted, messages_processed
    print(f"Extracted in {stats['duration']}s: {stats['facts_extracted']} facts")

nm = AsyncMnema(address, api_key=api_key, on_extraction=on_extraction)  # supports sync and async
