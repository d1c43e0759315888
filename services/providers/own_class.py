"""A provider that is a class of the user's own, named by its import path.

It is called with keyword arguments: the settings' `options`, all of them, and of what the
settings hold besides (`api_key`, `model`, …) whatever its constructor names.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from services.runtime.errors import FailedPrecondition, MnemaError, Unavailable

IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""package.module:Class."""

CUSTOM = "custom"


def with_named_class(given: Any) -> Any:
    """Settings before they are checked: provider "custom" with a `class` is that class.

    ValueError if there is no class, or one beside another provider.
    """
    if not isinstance(given, Mapping):
        return given
    provider, path = given.get("provider"), given.get("class")
    if provider != CUSTOM:
        if path is not None:
            raise ValueError(f"a class goes with provider {CUSTOM!r}, not {provider!r}")
        return given
    if not isinstance(path, str) or not IMPORT_PATH.fullmatch(path):
        raise ValueError(f"provider {CUSTOM!r} needs a class: package.module:Class, not {path!r}")
    return {**{name: value for name, value in given.items() if name != "class"}, "provider": path}


def make_own(
    kind: str,
    path: str,
    options: Mapping[str, object],
    offered: Mapping[str, object],
    needed: Sequence[str],
) -> Any:
    """An instance of the class at `path`, which has all attributes of `needed`.

    `kind` names it in messages ("the LLM provider"). FailedPrecondition says what is wrong: the
    import, the constructor, or which methods are missing.
    """
    module_name, _, class_name = path.partition(":")
    try:
        found = getattr(import_module(module_name), class_name)
        made = found(**_arguments(found, options, offered))
    except MnemaError:
        raise
    except Exception as error:  # foreign code: it may raise anything
        said = f"{type(error).__name__}: {error}"
        raise FailedPrecondition(
            f"{kind} {path} cannot be made: {said}", metadata={"provider": path}
        ) from error
    missing = [name for name in needed if not hasattr(made, name)]
    if missing:
        raise FailedPrecondition(
            f"{kind} {path} lacks {', '.join(missing)}", metadata={"provider": path}
        )
    return made


def accepted(function: Callable[..., Any], offered: Mapping[str, object]) -> dict[str, object]:
    """Those of the keyword arguments that a function takes; all if it takes any (`**kwargs`)."""
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        return dict(offered)
    return _named(function, offered)


def failed(provider: str, error: Exception) -> MnemaError:
    """What a class of the user's raised, as an error of ours; asking again may help.

    Its own text stays out of the message: it may quote a key or a conversation.
    """
    if isinstance(error, MnemaError):
        return error
    return Unavailable(
        f"{provider} failed: {type(error).__name__}", metadata={"provider": provider}
    )


def _arguments(
    found: Callable[..., Any], options: Mapping[str, object], offered: Mapping[str, object]
) -> dict[str, object]:
    parameters = inspect.signature(found).parameters
    # What is not set is left to the constructor's default, if it has one.
    known = {
        name: value
        for name, value in _named(found, offered).items()
        if value is not None or parameters[name].default is inspect.Parameter.empty
    }
    return {**known, **options}


def _named(function: Callable[..., Any], offered: Mapping[str, object]) -> dict[str, object]:
    named = {
        name
        for name, each in inspect.signature(function).parameters.items()
        if each.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }
    return {name: value for name, value in offered.items() if name in named}
