"""Settings: the contract's message and the options as they are stored."""

from collections.abc import Mapping, Sequence
from typing import Any

from mnema.v1 import account_service_pb2 as pb
from services.runtime.errors import FieldViolation, InvalidArgument, invalid

_EXTRACTION = "extraction"
# The paths of an update's mask, and the names that the options are stored under.
OPTION_OF_PATH: Mapping[str, str] = {
    "auto_extract": "auto_extract",
    "graph_enabled": "graph_enabled",
    "reflection_interval": "reflection_interval",
    f"{_EXTRACTION}.message_interval": "message_interval",
    f"{_EXTRACTION}.idle_timeout": "idle_timeout_seconds",
    f"{_EXTRACTION}.on_session_close": "on_session_close",
}
_PREFIX_OF_ALL: Mapping[str, str] = {"*": "", _EXTRACTION: f"{_EXTRACTION}."}


def options_of(settings: pb.Settings) -> dict[str, Any]:
    """The options that the message sets, by the names they are stored under."""
    set_fields = (*settings.ListFields(), *settings.extraction.ListFields())
    values: dict[str, Any] = {field.name: value for field, value in set_fields}
    if settings.extraction.HasField("idle_timeout"):
        pause = settings.extraction.idle_timeout
        values["idle_timeout_seconds"] = pause.ToMilliseconds() / 1000
    return {name: values[name] for name in OPTION_OF_PATH.values() if name in values}


def settings_message(options: Mapping[str, Any]) -> pb.Settings:
    """The message that sets these options and no others."""
    message = pb.Settings()
    for path, name in OPTION_OF_PATH.items():
        if name not in options:
            continue
        holder = message.extraction if path.startswith(_EXTRACTION) else message
        if name == "idle_timeout_seconds":
            message.extraction.idle_timeout.FromMilliseconds(round(options[name] * 1000))
        else:
            setattr(holder, name, options[name])
    return message


def change_of(settings: pb.Settings, paths: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """What an update sets, and the names of what it clears.

    InvalidArgument: FIELD_REQUIRED for an empty mask, FIELD_MASK_INVALID for a path that names
    no setting.
    """
    if not paths:
        raise invalid("update_mask", "names no field", "FIELD_REQUIRED")
    known = {*OPTION_OF_PATH, *_PREFIX_OF_ALL}
    wrong = [path for path in paths if path not in known]
    if wrong:
        raise InvalidArgument(
            [
                FieldViolation("update_mask", f"{path!r} names no setting", "FIELD_MASK_INVALID")
                for path in wrong
            ]
        )
    named = {
        option
        for given in paths
        for path, option in OPTION_OF_PATH.items()
        if path == given or (given in _PREFIX_OF_ALL and path.startswith(_PREFIX_OF_ALL[given]))
    }
    values = options_of(settings)
    changes = {name: values[name] for name in named & values.keys()}
    return changes, sorted(named - values.keys())
