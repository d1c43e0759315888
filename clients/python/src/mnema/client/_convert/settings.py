"""Settings, to the contract and back."""

from collections.abc import Mapping

from mnema.client.settings import Settings, SettingsOfLevel
from mnema.v1 import account_service_pb2 as pb

Value = bool | int | float | None

_TYPES: dict[str, tuple[type[int] | type[float], str]] = {
    "auto_extract": (bool, "True or False"),
    "graph_enabled": (bool, "True or False"),
    "on_session_close": (bool, "True or False"),
    "reflection_interval": (int, "a whole number"),
    "message_interval": (int, "a whole number"),
    "idle_timeout": (float, "a number of seconds"),
}
# Names that stand in the contract's ExtractionStrategy.
_OF_STRATEGY = ("message_interval", "idle_timeout", "on_session_close")


def check(name: str, value: Value) -> None:
    """Whether a setting may have this value.

    Raises:
        TypeError: it is of another type.
    """
    kind, words = _TYPES[name]
    if value is None or type(value) is kind or (kind is float and type(value) is int):
        return
    raise TypeError(f"{name} is {words} or None, not {value!r}")


def update_request(
    changes: Mapping[str, Value], user_id: str = "", tenant_id: str = ""
) -> pb.UpdateSettingsRequest:
    """A request that sets these by their names in Settings; None clears one."""
    request = pb.UpdateSettingsRequest(user_id=user_id, tenant_id=tenant_id)
    for name, value in changes.items():
        of_strategy = name in _OF_STRATEGY
        request.update_mask.paths.append(f"extraction.{name}" if of_strategy else name)
        check(name, value)
        if value is None:
            continue
        if name == "idle_timeout":
            request.settings.extraction.idle_timeout.FromMilliseconds(round(value * 1000))
        else:
            setattr(request.settings.extraction if of_strategy else request.settings, name, value)
    return request


def level_of(response: pb.GetSettingsResponse | pb.UpdateSettingsResponse) -> SettingsOfLevel:
    """What a call on settings answers."""
    return SettingsOfLevel(
        _settings_of(response.settings), _settings_of(response.effective_settings)
    )


def _settings_of(message: pb.Settings) -> Settings:
    strategy = message.extraction
    pause = strategy.idle_timeout.ToMilliseconds() / 1000
    return Settings(
        auto_extract=message.auto_extract if message.HasField("auto_extract") else None,
        graph_enabled=message.graph_enabled if message.HasField("graph_enabled") else None,
        reflection_interval=message.reflection_interval
        if message.HasField("reflection_interval")
        else None,
        message_interval=strategy.message_interval
        if strategy.HasField("message_interval")
        else None,
        idle_timeout=pause if strategy.HasField("idle_timeout") else None,
        on_session_close=strategy.on_session_close
        if strategy.HasField("on_session_close")
        else None,
    )
