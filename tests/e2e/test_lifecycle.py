"""A user's whole data: out, away, back in."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from mnema.client import Mnema
from services.app.local_stack import LocalStack
from tests.e2e.gateway import Gateway
from tests.e2e.seeding import seed
from tests.e2e.waiting import until

pytestmark = pytest.mark.feature("N16")


@pytest.fixture(scope="module")
def client(gateway: Gateway):
    with Mnema(gateway.address, api_key=gateway.tenant.api_key) as nm:
        yield nm


def test_smoke(gateway: Gateway, client: Mnema, user_id: str, tmp_path: Path) -> None:
    seed(gateway, gateway.tenant, user_id)
    first = client.export_to(user_id, tmp_path / "a.jsonl")
    print(first.read_text())
    print(client.export_user_data(user_id))
    print(client.delete_user_data(user_id))
    print(client.import_from(user_id, first))
    second = client.export_to(user_id, tmp_path / "b.jsonl")
    a, b = first.read_text().splitlines()[1:], second.read_text().splitlines()[1:]
    assert a == b
