from mnema.client import AsyncMnema

nm = AsyncMnema(address, api_key=api_key)
