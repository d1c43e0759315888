"""A stream of messages through the gateway: in order, once, and none without its receipt."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID, uuid5

import pytest

from mnema.client import AsyncMnema, FailedPrecondition, InvalidArgument, Mnema
from tests.e2e.gateway import Gateway

pytestmark = [pytest.mark.feature("N02"), pytest.mark.feature("X03")]

NAMES = UUID("0190b0c4-4e2e-7d5c-9a51-6d3b7a3c9d10")
COUNT = 600

# Says what it has a receipt of, line by line, until it is killed.
CLIENT = """
import sys
from tests.e2e.test_streaming import spoken
from mnema.client import Mnema

address, key, user_id = sys.argv[1:]
with Mnema(address, api_key=key) as nm:
    for receipt in nm.ingest_stream(user_id, spoken(user_id), "monday"):
        print(receipt.sequence, receipt.id, flush=True)
"""


def spoken(user_id: str, count: int = COUNT) -> Iterator[dict[str, Any]]:
    """The same messages, under the same request ids, whenever they are asked for."""
    for number in range(count):
        request_id = str(uuid5(NAMES, f"{user_id} {number}"))
        yield {"role": "user", "content": f"Remark number {number}.", "request_id": request_id}


async def spoken_slowly(user_id: str, count: int) -> AsyncIterator[dict[str, Any]]:
    for message in spoken(user_id, count):
        yield message
        await asyncio.sleep(0)


def stored(nm: Mnema, user_id: str) -> list[tuple[int, str, str]]:
    found = nm.conversations.get_session_messages(user_id, "monday", limit=2 * COUNT)
    return [(each.sequence, each.id, each.content) for each in found]


def test_a_stream_is_stored_in_its_order(gateway: Gateway, user_id: str) -> None:
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        receipts = list(nm.ingest_stream(user_id, spoken(user_id), "monday"))
        expected = [
            (each.sequence, each.id, f"Remark number {number}.")
            for number, each in enumerate(receipts)
        ]
        assert stored(nm, user_id) == expected
        assert [each.sequence for each in receipts] == list(range(1, COUNT + 1))
        again = list(nm.ingest_stream(user_id, spoken(user_id), "monday"))
        assert again == receipts
        assert stored(nm, user_id) == expected


def test_what_a_killed_client_has_receipts_of_is_there_once(gateway: Gateway, user_id: str) -> None:
    command = [sys.executable, "-c", CLIENT, gateway.address, gateway.tenant.api_key, user_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        lines = [client.stdout.readline() for _ in range(50)]
        client.send_signal(signal.SIGKILL)
        lines += client.stdout.readlines()
        assert client.wait(60) == -signal.SIGKILL
    heard = [(int(each.split()[0]), each.split()[1]) for each in lines if each.endswith("\n")]
    assert 50 <= len(heard) < COUNT, "it was killed too late to show anything"
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        assert [each[:2] for each in stored(nm, user_id)][: len(heard)] == heard
        receipts = list(nm.ingest_stream(user_id, spoken(user_id), "monday"))
        assert [(each.sequence, each.id) for each in receipts][: len(heard)] == heard
        assert [content for _, _, content in stored(nm, user_id)] == [
            f"Remark number {number}." for number in range(COUNT)
        ]


async def test_a_wrong_message_ends_the_stream_and_is_named(gateway: Gateway, user_id: str) -> None:
    async def with_one_wrong() -> AsyncIterator[dict[str, Any]]:
        async for message in spoken_slowly(user_id, 130):
            yield message
        yield {"role": "nobody", "content": "Who am I?"}
        yield {"role": "user", "content": "Behind it."}

    async with AsyncMnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        sequences = []
        with pytest.raises(InvalidArgument) as caught:
            async for receipt in nm.ingest_stream(user_id, with_one_wrong(), "monday"):
                sequences.append(receipt.sequence)  # noqa: PERF401 - kept although it fails
        assert sequences == list(range(1, 131))
        assert caught.value.metadata["index"] == "130"
        assert (caught.value.reason, caught.value.metadata["field"]) == ("FIELD_MALFORMED", "role")
        found = await nm.conversations.get_session_messages(user_id, "monday", limit=500)
        assert len(found) == 130


async def test_what_the_messages_raise_is_raised_behind_their_receipts(
    gateway: Gateway, user_id: str
) -> None:
    async def failing() -> AsyncIterator[dict[str, Any]]:
        async for message in spoken_slowly(user_id, 30):
            yield message
        raise OSError("the microphone is gone")

    async with AsyncMnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        receipts = []
        with pytest.raises(OSError, match="microphone"):
            async for receipt in nm.ingest_stream(user_id, failing(), "monday"):
                receipts.append(receipt)  # noqa: PERF401 - kept although it fails
        assert len(receipts) == 30


def test_a_closed_session_takes_no_stream(gateway: Gateway, user_id: str) -> None:
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        list(nm.ingest_stream(user_id, spoken(user_id, 3), "monday"))
        nm.conversations.close_session(user_id, "monday")
        with pytest.raises(FailedPrecondition) as caught:
            list(nm.ingest_stream(user_id, [{"role": "user", "content": "Late."}], "monday"))
        assert caught.value.reason == "SESSION_CLOSED"
        assert len(stored(nm, user_id)) == 3
