"""Ranking profiles: the contract's form, the ranking's and the storage's."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from mnema.v1.vector_service_pb2 import FactorStrengths, Fusion, RankingProfile, SignalWeight
from services.contract.convert_message import timestamp_of
from services.runtime.errors import FieldViolation, InvalidArgument
from services.storage.ranking_profiles import ProfileRow
from services.vector.ranking import profile as ranking
from services.vector.ranking.profile import SIGNALS, Profile, Weight

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_RECIPROCAL: Final = "reciprocal_ranks"
_FUSIONS: Mapping["Fusion.ValueType", ranking.Fusion] = {
    Fusion.FUSION_UNSPECIFIED: "signals",
    Fusion.FUSION_SIGNALS: "signals",
    Fusion.FUSION_RECIPROCAL_RANKS: _RECIPROCAL,
}


def profile_of(message: RankingProfile) -> Profile:
    """A profile to be stored; its numbers are in their ranges already.

    InvalidArgument for a name of another form, for what is no signal, and for weights that
    the fusion has no use for.
    """
    wrong = list(_wrong_in(message))
    if wrong:
        raise InvalidArgument(wrong)
    return Profile(
        name=message.name,
        description=message.description,
        signals={name: Weight(each.short, each.long) for name, each in message.signals.items()},
        recency=message.factors.recency,
        importance=message.factors.importance,
        graph_boost=message.factors.graph_boost,
        fusion=_FUSIONS[message.fusion],
    )


def _wrong_in(message: RankingProfile) -> list[FieldViolation]:
    found = []
    if not NAME.fullmatch(message.name):
        form = "must be a small letter, then up to 62 small letters, digits, '_' and '-'"
        found.append(FieldViolation("profile.name", form, "FIELD_MALFORMED"))
    known = ", ".join(sorted(SIGNALS))
    found += [
        FieldViolation(
            f"profile.signals[{name!r}]", f"is no signal; there are {known}", "INVALID_FIELD"
        )
        for name in sorted(message.signals)
        if name not in SIGNALS
    ]
    by_ranks = _FUSIONS[message.fusion] == _RECIPROCAL
    if by_ranks and message.signals:
        useless = "must be empty: reciprocal ranks have no weights"
        found.append(FieldViolation("profile.signals", useless, "INVALID_FIELD"))
    if not by_ranks and not message.signals:
        needed = f"is required; there are {known}"
        found.append(FieldViolation("profile.signals", needed, "FIELD_REQUIRED"))
    return found


def profile_message(profile: Profile, stored_at: datetime | None = None) -> RankingProfile:
    """A profile as the contract shows it; without `stored_at` a built-in one."""
    by_ranks = profile.fusion == _RECIPROCAL
    return RankingProfile(
        name=profile.name,
        signals={
            name: SignalWeight(short=weight.short, long=weight.long)
            for name, weight in profile.signals.items()
        },
        factors=FactorStrengths(
            recency=profile.recency,
            importance=profile.importance,
            graph_boost=profile.graph_boost,
        ),
        description=profile.description,
        fusion=Fusion.FUSION_RECIPROCAL_RANKS if by_ranks else Fusion.FUSION_SIGNALS,
        updated_at=None if stored_at is None else timestamp_of(stored_at),
        built_in=stored_at is None,
    )


def body_of(profile: Profile) -> dict[str, Any]:
    """What is stored of a profile, beside its name."""
    return {
        "description": profile.description,
        "fusion": profile.fusion,
        "signals": {name: [each.short, each.long] for name, each in profile.signals.items()},
        "factors": {
            "recency": profile.recency,
            "importance": profile.importance,
            "graph_boost": profile.graph_boost,
        },
    }


def stored_profile(row: ProfileRow) -> Profile:
    """A stored profile. A signal that this program no longer has is left out of it."""
    return Profile(
        name=row.name,
        description=row.body["description"],
        signals={
            name: Weight(short, long)
            for name, (short, long) in row.body["signals"].items()
            if name in SIGNALS
        },
        fusion=row.body["fusion"],
        **row.body["factors"],
    )
