"""Settings, changed while everything runs: what is extracted when, the graph, digests."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mnema.client import (
    AsyncMnema,
    Digest,
    ExtractionStrategy,
    InvalidArgument,
    Mnema,
    PermissionDenied,
    Settings,
    SettingsOfLevel,
)
from tests.e2e.contract import rpc
from tests.e2e.gateway import Gateway, Tenant

SERVER = Settings(
    auto_extract=True,
    graph_enabled=True,
    reflection_interval=20,
    message_interval=1,
    idle_timeout=0,
    on_session_close=True,
)


@pytest.fixture
async def nm(gateway: Gateway, tenant: Tenant) -> AsyncIterator[AsyncMnema]:
    """A client of a tenant whom nobody else has."""
    async with AsyncMnema(gateway.address, api_key=tenant.api_key) as made:
        yield made


async def say(nm: AsyncMnema, content: str, session_id: str = "s") -> None:
    await nm.ingest("alice", "user", content, session_id=session_id)


async def pending(nm: AsyncMnema) -> int:
    return (await nm.status("alice")).pending_messages


@pytest.mark.feature("N01")
def test_levels_and_what_holds(gateway: Gateway, tenant: Tenant) -> None:
    with Mnema(gateway.address, api_key=tenant.api_key) as nm:
        assert nm.accounts.get_settings().settings == Settings()
        assert nm.accounts.get_settings("alice").effective == SERVER
        nm.accounts.update_settings(auto_extract=False, idle_timeout=0.5)
        changed = nm.accounts.update_settings("alice", auto_extract=True, reflection_interval=0)
        assert changed.settings == Settings(auto_extract=True, reflection_interval=0)
        of_alice, of_bob = (nm.accounts.get_settings(name) for name in ("alice", "bob"))
        assert (of_alice.effective.auto_extract, of_bob.effective.auto_extract) == (True, False)
        assert (of_alice.effective.idle_timeout, of_bob.settings) == (0.5, Settings())
        assert of_bob.effective.reflection_interval == 20
        cleared = nm.accounts.update_settings("alice", auto_extract=None)
        assert cleared.settings == Settings(reflection_interval=0)
        assert cleared.effective.auto_extract is False
    user_key = gateway.new_user_key("alice", tenant)
    with Mnema(gateway.address, api_key=user_key) as mine:
        assert mine.accounts.get_settings() == settings_of(gateway, tenant, "alice")
        mine.accounts.update_settings(message_interval=7)
        assert settings_of(gateway, tenant, "alice").settings.message_interval == 7
        with pytest.raises(PermissionDenied):
            mine.accounts.update_settings("bob", message_interval=7)


def settings_of(gateway: Gateway, tenant: Tenant, user_id: str) -> SettingsOfLevel:
    """As the tenant sees them."""
    with Mnema(gateway.address, api_key=tenant.api_key) as nm:
        return nm.accounts.get_settings(user_id)


@pytest.mark.feature("N01")
def test_an_admin_names_the_tenant(gateway: Gateway, tenant: Tenant) -> None:
    with Mnema(gateway.address, api_key=gateway.admin_key) as nm:
        nm.accounts.update_settings(tenant_id=tenant.tenant_id, graph_enabled=False)
        of_user = nm.accounts.get_settings("alice", tenant_id=tenant.tenant_id)
        assert of_user.effective.graph_enabled is False
        with pytest.raises(InvalidArgument):
            nm.accounts.get_settings()


@pytest.mark.feature("N01")
def test_what_is_no_setting_is_refused(gateway: Gateway, tenant: Tenant) -> None:
    method = rpc("AccountService.UpdateSettings")
    for fields, reason, field in (
        ({"update_mask": "shoe"}, "FIELD_MASK_INVALID", "update_mask"),
        ({"update_mask": "extraction.shoe"}, "FIELD_MASK_INVALID", "update_mask"),
        ({"update_mask": ""}, "FIELD_REQUIRED", "update_mask"),
        (
            {
                "settings": {"extraction": {"idle_timeout": "2592001s"}},
                "update_mask": "extraction.idleTimeout",
            },
            "FIELD_OUT_OF_RANGE",
            "settings.extraction.idle_timeout",
        ),
    ):
        failure = gateway.rest_failure(method, fields, tenant.api_key)
        assert failure is not None
        assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", reason)
        assert failure.fields == (field,)


@pytest.mark.feature("N01")
def test_settings_over_rest(gateway: Gateway, tenant: Tenant) -> None:
    headers = {"x-api-key": tenant.api_key}
    body = {
        "settings": {"auto_extract": False, "extraction": {"idle_timeout": "90s"}},
        "update_mask": "autoExtract,extraction",
    }
    answer = gateway.http.patch("/v1/users/alice/settings", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    told = gateway.http.get("/v1/users/alice/settings", headers=headers).json()
    assert told["settings"] == {"auto_extract": False, "extraction": {"idle_timeout": "90s"}}
    assert told["effective_settings"]["reflection_interval"] == 20
    assert gateway.http.get("/v1/settings", headers=headers).json()["settings"] == {}


@pytest.mark.feature("N01")
async def test_extraction_by_hand(nm: AsyncMnema) -> None:
    nm.auto_extract = False  # takes effect before the next call
    await say(nm, "I live in Zurich.")
    assert nm.auto_extract is False
    assert (await nm.accounts.get_settings()).settings == Settings(auto_extract=False)
    unextracted = await nm.conversations.get_unextracted_messages("alice")
    assert [message.content for message in unextracted] == ["I live in Zurich."]
    assert await nm.list_extractions("alice") == []
    # What was said is found all the same.
    found = await nm.recall("alice", "Zurich", include_conversations=True)
    assert [each["content"] for each in found["conversation_results"]] == ["I live in Zurich."]
    assert await nm.extract("alice") == ["s"]
    await nm.wait_until_extracted("alice")
    assert (await nm.recall("alice", "Where does she live?"))["vector_results"]
    await say(nm, "I work at Google.")
    nm.auto_extract = None
    await say(nm, "I have a dog.")
    await nm.wait_until_extracted("alice")
    assert await nm.conversations.get_unextracted_messages("alice") == []


@pytest.mark.feature("N01")
async def test_a_strategy_in_the_constructor(gateway: Gateway, tenant: Tenant) -> None:
    strategy = ExtractionStrategy(message_interval=2, on_session_close=False)
    async with AsyncMnema(gateway.address, api_key=tenant.api_key, extraction=strategy) as nm:
        await say(nm, "I live in Zurich.")
        await nm.conversations.close_session("alice", "s")
        await say(nm, "I work at Google.", "another")
        assert await pending(nm) == 2
        await say(nm, "I have a dog.", "another")
        async with asyncio.timeout(90):
            while await pending(nm) != 1:  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.05)


@pytest.mark.feature("N01")
async def test_what_is_wrong_with_a_setting_the_next_call_raises(nm: AsyncMnema) -> None:
    nm.reflection_interval = -1
    with pytest.raises(InvalidArgument) as refused:
        await nm.status("alice")
    assert refused.value.violations[0].field == "settings.reflection_interval"
    assert nm.reflection_interval is None
    await nm.status("alice")
    nm.reflection_interval = 10
    await nm.status("alice")
    assert (await nm.accounts.get_settings()).effective.reflection_interval == 10


@pytest.mark.feature("N01")
async def test_without_the_graph(nm: AsyncMnema) -> None:
    await say(nm, "I work at Google.", "first")
    await nm.wait_until_extracted("alice")
    assert (await nm.recall("alice", "Where do I work?"))["graph_context"]
    nm.graph_enabled = False
    await say(nm, "I live in Zurich.", "second")
    await nm.wait_until_extracted("alice")
    recalled = await nm.recall("alice", "Where do I live and work?")
    assert (recalled["graph_results"], recalled["graph_context"]) == ([], [])
    assert not recalled["degraded"]
    assert recalled["vector_results"]
    nm.graph_enabled = True
    context = (await nm.recall("alice", "Where do I live and work?"))["graph_context"]
    assert context == ["alice -> WORKS_AT -> Google"]


@pytest.mark.feature("N07")
async def test_a_digest_after_every_so_many_messages(nm: AsyncMnema) -> None:
    nm.reflection_interval = 6
    said = [f"I love hiking in Zermatt, trip number {number}." for number in range(6)]
    for content in said[:5]:
        await say(nm, content)
    await nm.wait_until_extracted("alice")
    assert await nm.list_digests("alice") == []
    await say(nm, said[5])
    await nm.wait_until_extracted("alice")
    (noted,) = await nm.list_digests("alice")
    digest = await made(nm, noted.id)
    assert (digest.trigger, digest.attempts) == ("interval", 1)
    assert digest.memories_analyzed >= 1
    # Nobody asked, and the profile is there.
    assert (await nm.emotion_profile("alice"))["last_reflected_at"] is not None


@pytest.mark.feature("N07")
async def test_many_speakers_at_once_make_one_digest_an_interval(nm: AsyncMnema) -> None:
    nm.reflection_interval = 10
    await nm.status("alice")  # the change is sent; what follows goes out at once
    sayings = [f"I love hiking in Zermatt, trip number {number}." for number in range(40)]
    await asyncio.gather(*(say(nm, each, f"s{n % 8}") for n, each in enumerate(sayings)))
    await nm.wait_until_extracted("alice")
    noted = await nm.list_digests("alice")
    digests = [await made(nm, each.id) for each in noted]
    assert [digest.trigger for digest in digests] == ["interval"] * 4
    memories = await nm.memories.list("alice", limit=500)
    facts = [memory for memory in memories if memory.memory_type != "insight"]
    assert sum(digest.memories_analyzed for digest in digests) >= len(facts) > 0


@pytest.mark.feature("N06")
async def test_a_digest_in_the_background(nm: AsyncMnema) -> None:
    for number in range(4):
        await say(nm, f"I love hiking in Zermatt, trip number {number}.", f"trip {number}")
    await nm.wait_until_extracted("alice")
    await nm.digest("alice", background=True)
    (noted,) = await nm.list_digests("alice")
    assert noted.result is None
    digest = await made(nm, noted.id)
    assert (digest.trigger, digest.batch_size, digest.error) == ("call", 50, None)
    assert digest.finished_at is not None
    assert digest.result is not None
    assert digest.result["insights_generated"] == digest.insights_generated >= 1
    remembered = {memory.id for memory in await nm.memories.list("alice")}
    for insight in digest.result["insights"]:
        assert insight["category"] in ("pattern", "summary")
        assert insight["source_memory_ids"]
        assert set(insight["source_memory_ids"]) < remembered

    again = await made(nm, await nm.start_digest("alice"))
    assert (again.memories_analyzed, again.insights_generated) == (0, 0)
    at_once = await nm.digest("alice")
    assert (at_once["insights_generated"], at_once["digest_id"]) == (0, None)
    listed = await nm.list_digests("alice", state="done")
    assert [each.id for each in listed] == [again.id, digest.id]


@pytest.mark.feature("N06")
async def test_digests_at_once_do_not_double(nm: AsyncMnema) -> None:
    for number in range(4):
        await say(nm, f"I love hiking in Zermatt, trip number {number}.", f"trip {number}")
    await nm.wait_until_extracted("alice")
    calls = [nm.digest("alice") for _ in range(4)]
    started, results = await asyncio.gather(nm.start_digest("alice"), asyncio.gather(*calls))
    behind = await made(nm, started)
    assert behind.result is not None
    insights = [each["id"] for result in (*results, behind.result) for each in result["insights"]]
    assert len(insights) == len(set(insights)) >= 1
    stored = await nm.memories.list("alice", memory_type="insight")
    assert {memory.id for memory in stored} == set(insights)
    assert (await nm.emotion_profile("alice"))["source_count"] <= 4


async def made(nm: AsyncMnema, digest_id: str) -> Digest:
    """The digest, once it is done."""
    async with asyncio.timeout(90):
        while (digest := await nm.get_digest("alice", digest_id)).state != "done":
            assert digest.state != "failed", digest
            await asyncio.sleep(0.05)
    return digest
