"""Tokens of download links: good until they expire, and only as they were given out."""

import string
from uuid import uuid4

import pytest
from pydantic import SecretStr, ValidationError

from services.app.settings import Settings
from services.contract.user import User
from services.files.limits import FileSettings
from services.files.links import Links
from services.runtime.errors import FailedPrecondition, PermissionDenied
from services.runtime.ids import TenantId, owner_of

SECRET = SecretStr("a secret of at least 32 characters")
NOW = 1_800_000_000
FILE = uuid4()


def user() -> User:
    tenant_id = TenantId(uuid4())
    return User(tenant_id, owner_of(tenant_id, "alice"), "alice")


class Clock:
    now = float(NOW)

    def __call__(self) -> float:
        return self.now


def reason_of(links: Links, token: str) -> str:
    with pytest.raises(PermissionDenied) as caught:
        links.read(token)
    return caught.value.reason


def test_a_token_names_file_and_owner_until_it_expires() -> None:
    clock, alice = Clock(), user()
    links = Links(SECRET, "https://example.com/", clock=clock)
    url = links.url(alice, FILE, links.expiry(60))
    assert url.startswith("https://example.com/v1/files:download?token=")
    token = url.partition("?token=")[2]
    assert set(token) <= {*string.ascii_letters, *string.digits, "-", "_"}
    link = links.read(token)
    assert (link.tenant_id, link.owner_id, link.file_id) == (alice.tenant_id, alice.owner_id, FILE)
    assert link.scope == alice.scope
    clock.now += 59.9
    assert links.read(token) == link
    clock.now += 0.1
    assert reason_of(links, token) == "DOWNLOAD_LINK_EXPIRED"


def test_every_changed_character_is_noticed() -> None:
    links = Links(SECRET, None, clock=Clock())
    token = links.token(user(), FILE, links.expiry(60))
    for place, character in enumerate(token):
        other = "A" if character != "A" else "B"
        changed = token[:place] + other + token[place + 1 :]
        assert reason_of(links, changed) == "DOWNLOAD_LINK_INVALID", place
    for wrong in ("", "x", token[:-1], token + "A", token + "=", token + "\n", "é", token[:75]):
        assert reason_of(links, wrong) == "DOWNLOAD_LINK_INVALID", wrong


def test_another_secret_signs_other_tokens() -> None:
    alice = user()
    token = Links(SECRET, None).token(alice, FILE, 2**40)
    assert Links(SECRET, None).read(token).file_id == FILE
    for other in (SecretStr("another secret of 32 characters!"), None):
        assert reason_of(Links(other, None), token) == "DOWNLOAD_LINK_INVALID"
    # Without one, a process makes up its own.
    token = Links(None, None).token(alice, FILE, 2**40)
    assert reason_of(Links(None, None), token) == "DOWNLOAD_LINK_INVALID"


def test_without_a_public_address_there_is_no_link() -> None:
    with pytest.raises(FailedPrecondition, match="MNEMA_FILES__PUBLIC_URL") as caught:
        Links(SECRET, None).url(user(), FILE, NOW)
    assert caught.value.reason == "NOT_SUPPORTED"


def test_limits_and_address_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNEMA_FILES__UPLOADS_AT_ONCE", "2")
    monkeypatch.setenv("MNEMA_FILES__EXTRACTION_SECONDS", "7.5")
    monkeypatch.setenv("MNEMA_FILES__PUBLIC_URL", "https://memory.example.com")
    files = Settings().files
    assert (files.uploads_at_once, files.extraction_seconds) == (2, 7.5)
    assert (files.public_url, files.sweep_seconds) == ("https://memory.example.com", 3600)
    monkeypatch.setenv("MNEMA_FILES__SWEEP_SECONDS", "60")
    with pytest.raises(ValidationError, match="sweep_seconds"):
        Settings()


@pytest.mark.parametrize(
    "url", ["", "example.com", "ftp://a", "http://", "http://a?b", "http://a b"]
)
def test_a_public_address_is_an_http_url(url: str) -> None:
    with pytest.raises(ValidationError):
        FileSettings(public_url=url)
