from mnema.client import AsyncMnema

async with AsyncMnema(
    address,
    api_key=api_key,
) as nm:
    ...
