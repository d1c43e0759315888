"""neuromem's documentation runs against this client: only imports and constructors are changed."""

from collections.abc import AsyncIterator

import pytest

import tests.e2e.sample_cases
from mnema.client import AsyncMnema
from tests.e2e.gateway import Gateway, Tenant
from tests.e2e.sample_world import CASES, SAMPLES, USER, World, run

assert tests.e2e.sample_cases  # registers the cases

NAMES = sorted(path.stem for path in SAMPLES.glob("*.py"))


@pytest.fixture
async def world(gateway: Gateway, tenant: Tenant) -> AsyncIterator[World]:
    async with AsyncMnema(gateway.address, api_key=tenant.api_key, default_user=USER) as nm:
        names = {"nm": nm, "user_id": USER, "address": gateway.address, "api_key": tenant.api_key}
        yield World(nm, dict(names))


def test_every_sample_has_its_case() -> None:
    assert sorted(CASES) == NAMES


@pytest.mark.feature("N02")
@pytest.mark.feature("N04")
@pytest.mark.feature("N12")
@pytest.mark.feature("N13")
@pytest.mark.parametrize("sample", NAMES)
async def test_a_sample_runs(sample: str, world: World) -> None:
    await run(sample, world)
