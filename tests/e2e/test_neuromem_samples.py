"""neuromem's documentation runs against this client: only imports and constructors are changed."""

from collections.abc import AsyncIterator, Mapping

import pytest

import tests.e2e.sample_cases
from mnema.client import AsyncMnema
from tests.e2e.gateway import Gateway, Tenant
from tests.e2e.sample_world import CASES, SAMPLES, USER, World, run

assert tests.e2e.sample_cases  # registers the cases

# Samples that do not run yet, by what they lack: the name that the failure has to speak of.
NOT_YET: Mapping[str, str] = {
    "api_clear_embedding_cache": "clear_embedding_cache",
    "api_cold_memories": "cold_memories",
    "api_delete_user_data": "delete_user_data",
    "api_dynamic_configuration": "reflection_interval",
    "api_entity_profile": "entity_profile",
    "api_export_user_data": "export_user_data",
    "api_on_extraction": "on_extraction",
    "api_on_llm_call": "on_llm_call",
    "api_rollback_memories": "rollback_memories",
    "api_stats": "stats",
}
NAMES = sorted(path.stem for path in SAMPLES.glob("*.py"))


@pytest.fixture
async def world(gateway: Gateway, tenant: Tenant) -> AsyncIterator[World]:
    async with AsyncMnema(gateway.address, api_key=tenant.api_key, default_user=USER) as nm:
        names = {"nm": nm, "user_id": USER, "address": gateway.address, "api_key": tenant.api_key}
        yield World(nm, dict(names))


def test_every_sample_has_its_case_and_what_is_not_yet_is_one_of_them() -> None:
    assert sorted(CASES) == NAMES
    assert set(NOT_YET) <= set(NAMES)


@pytest.mark.feature("N02")
@pytest.mark.feature("N04")
@pytest.mark.feature("N12")
@pytest.mark.feature("N13")
@pytest.mark.parametrize("sample", [name for name in NAMES if name not in NOT_YET])
async def test_a_sample_runs(sample: str, world: World) -> None:
    await run(sample, world)


@pytest.mark.parametrize("sample", sorted(NOT_YET))
async def test_what_does_not_run_yet_fails_for_what_it_lacks(sample: str, world: World) -> None:
    with pytest.raises((AttributeError, TypeError, AssertionError)) as failure:
        await run(sample, world)
    assert NOT_YET[sample] in str(failure.value), "it fails for another reason now: see NOT_YET"
