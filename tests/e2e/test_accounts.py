"""Tenants, users and keys."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.contract import rpc
from tests.e2e.gateway import Gateway, Tenant

# Services remember a key for five seconds; the rest is the way.
REVOKED_WITHIN = 30.0


@pytest.mark.feature("M07")
def test_a_user_key_acts_for_its_user_alone_until_it_is_revoked(
    gateway: Gateway, tenant: Tenant, user_id: str
) -> None:
    made = gateway.call("AccountService.CreateUser", {"user_id": user_id}, tenant.api_key)
    key = made["api_key"]
    assert made["id"] == user_id
    message = {"user_id": user_id, "role": "user", "content": "Hello"}
    gateway.call("IngestService.Ingest", message, key)
    other = {**message, "user_id": "somebody else"}
    failure = gateway.rest_failure(rpc("IngestService.Ingest"), other, key)
    assert failure is not None
    assert failure.reason == "USER_NOT_ALLOWED"

    (row,) = gateway.call("AccountService.ListApiKeys", {"page_size": 1}, tenant.api_key)[
        "api_keys"
    ]
    assert (row["kind"], row["user_id"]) == ("API_KEY_KIND_USER", user_id)
    assert key.startswith(row["prefix"])
    assert key not in str(row)
    gateway.call("AccountService.RevokeApiKey", {"key_id": row["key_id"]}, tenant.api_key)
    deadline = time.monotonic() + REVOKED_WITHIN
    while (failure := gateway.rest_failure(rpc("IngestService.Ingest"), message, key)) is None:
        assert time.monotonic() < deadline, "a revoked key still works"
        time.sleep(0.2)
    assert (failure.code, failure.reason) == ("UNAUTHENTICATED", "API_KEY_REVOKED")
    again = gateway.call("AccountService.RevokeApiKey", {"key_id": row["key_id"]}, tenant.api_key)
    first = gateway.call("AccountService.ListApiKeys", {"page_size": 1}, tenant.api_key)["api_keys"]
    assert again["api_key"]["revoked_at"] == first[0]["revoked_at"]


def test_a_user_is_there_once(gateway: Gateway, tenant: Tenant, user_id: str) -> None:
    gateway.call("AccountService.CreateUser", {"user_id": user_id}, tenant.api_key)
    failure = gateway.rest_failure(
        rpc("AccountService.CreateUser"), {"user_id": user_id}, tenant.api_key
    )
    assert failure is not None
    assert (failure.http_status, failure.reason) == (409, "RESOURCE_EXISTS")
    found = gateway.call("AccountService.GetUser", {"user_id": user_id}, tenant.api_key)
    assert found["user"]["user_id"] == user_id
    # The first message of a user makes it as well.
    message = {"user_id": "by-message", "role": "user", "content": "Hello"}
    gateway.call("IngestService.Ingest", message, tenant.api_key)
    users = gateway.call("AccountService.ListUsers", {}, tenant.api_key)["users"]
    assert [each["user_id"] for each in users] == sorted([user_id, "by-message"])


def test_users_and_keys_are_paged(gateway: Gateway, tenant: Tenant) -> None:
    for number in range(5):
        gateway.call("AccountService.CreateUser", {"user_id": f"u{number}"}, tenant.api_key)
    for call, items in (("ListUsers", "users"), ("ListApiKeys", "api_keys")):
        seen: list[str] = []
        token = ""
        while True:
            request = {"page_size": 2, "page_token": token}
            page = gateway.call(f"AccountService.{call}", request, tenant.api_key)
            assert len(page[items]) <= 2
            seen += [each.get("key_id") or each["user_id"] for each in page[items]]
            token = page["next_page_token"]
            if not token:
                break
        assert len(seen) == len(set(seen)) == (5 if call == "ListUsers" else 6)


def test_an_admin_makes_tenants_once_a_request_id(gateway: Gateway) -> None:
    request = {"name": "once", "request_id": "9f8c1f1e-8f65-4d38-9d0d-0c7d5b2f3a11"}
    first = gateway.call("AccountService.CreateTenant", request, gateway.admin_key)
    again = gateway.call("AccountService.CreateTenant", request, gateway.admin_key)
    assert first["tenant"] == again["tenant"]
    assert first["api_key"].startswith("mk_tenant_")
    assert again["api_key"] == ""
    named = {"tenant_id": first["tenant"]["tenant_id"]}
    assert (
        gateway.call("AccountService.GetTenant", named, gateway.admin_key)["tenant"]["name"]
        == "once"
    )


def test_a_tenant_key_reaches_no_other_tenant(gateway: Gateway, tenant: Tenant) -> None:
    other = gateway.new_tenant("the other")
    for call in ("GetTenant", "ListUsers", "ListApiKeys"):
        failure = gateway.rest_failure(
            rpc(f"AccountService.{call}"), {"tenant_id": other.tenant_id}, tenant.api_key
        )
        assert failure is not None
        assert failure.code == "PERMISSION_DENIED"


def test_a_key_that_is_born_expired_is_refused(gateway: Gateway, tenant: Tenant) -> None:
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    request = {"kind": "API_KEY_KIND_TENANT", "expires_at": past}
    failure = gateway.rest_failure(rpc("AccountService.CreateApiKey"), request, tenant.api_key)
    assert failure is not None
    assert (failure.reason, failure.fields) == ("FIELD_OUT_OF_RANGE", ("expires_at",))
