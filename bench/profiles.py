"""Ranking profiles as files: TOML, as the built-in ones are written."""

import json
import tomllib
from collections.abc import Awaitable, Mapping
from pathlib import Path

import grpc
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bench.system import System
from mnema.v1 import vector_service_pb2 as pb

_SERVICE = "/mnema.v1.VectorService/"
_TABLE = "default"


class ProfileError(Exception):
    """A file is no ranking profile; the message says why."""


class _Weight(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    short: float
    long: float


class _Profile(BaseModel):
    """The table of a profile; what it leaves out counts nothing."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    signals: dict[str, _Weight] = Field(min_length=1)
    recency: float = 0.0
    importance: float = 0.0
    graph_boost: float = 0.0


def written(profile: pb.RankingProfile, comment: str) -> str:
    """A profile of signals as the table [default] of a TOML file, below a comment."""
    lines = [
        f"# {comment}",
        "",
        f"[{_TABLE}]",
        f"description = {json.dumps(profile.description, ensure_ascii=False)}",
        'fusion = "signals"',
        f"recency = {profile.factors.recency}",
        f"importance = {profile.factors.importance}",
        f"graph_boost = {profile.factors.graph_boost}",
        "",
        f"[{_TABLE}.signals]",
        *(f"{name} = {_weight(profile.signals[name])}" for name in sorted(profile.signals)),
    ]
    return "\n".join(lines) + "\n"


def _weight(weight: pb.SignalWeight) -> str:
    # A minus before nothing says nothing: −0.0004 rounds to 0.
    short, long = (round(each, 3) + 0.0 for each in (weight.short, weight.long))
    return f"{{ short = {short:.3f}, long = {long:.3f} }}"


def read(path: Path, name: str) -> pb.RankingProfile:
    """The table [default] of a TOML file as a profile of that name; ProfileError if it is none."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        found = TypeAdapter(dict[str, _Profile]).validate_python({_TABLE: tables[_TABLE]})[_TABLE]
    except KeyError:
        raise ProfileError(f"{path} has no table [{_TABLE}]") from None
    except (OSError, ValueError, ValidationError) as error:
        raise ProfileError(f"{path} is no ranking profile: {error}") from None
    return profile(
        name,
        {signal: (weight.short, weight.long) for signal, weight in found.signals.items()},
        pb.FactorStrengths(
            recency=found.recency, importance=found.importance, graph_boost=found.graph_boost
        ),
    )


def profile(
    name: str,
    weights: Mapping[str, tuple[float, float]],
    factors: pb.FactorStrengths | None = None,
    description: str = "",
) -> pb.RankingProfile:
    """A profile of signals, by their weights among short things and among long ones."""
    made = pb.RankingProfile(
        name=name, description=description, factors=factors, fusion=pb.FUSION_SIGNALS
    )
    for signal, (short, long) in weights.items():
        made.signals[signal].CopyFrom(pb.SignalWeight(short=short, long=long))
    return made


async def stored(system: System, name: str) -> pb.RankingProfile:
    """The profile of that name as the system has it; ProfileError if it has none."""
    request = pb.GetRankingProfileRequest(name=name).SerializeToString()
    answer = await _told(system.call(_SERVICE + "GetRankingProfile")(request))
    return pb.GetRankingProfileResponse.FromString(answer).profile


async def store(system: System, given: pb.RankingProfile) -> None:
    """Stores a profile, which searches know at once; ProfileError if the system refuses it."""
    request = pb.PutRankingProfileRequest(profile=given).SerializeToString()
    await _told(system.call(_SERVICE + "PutRankingProfile")(request))


async def _told(answer: Awaitable[bytes]) -> bytes:
    try:
        return await answer
    except grpc.aio.AioRpcError as error:
        if error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT):
            raise ProfileError(error.details()) from None
        raise
