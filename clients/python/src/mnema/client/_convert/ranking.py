"""Ranking profiles."""

from mnema.client._convert.times import optional_moment
from mnema.client.ranking import FactorStrengths, RankingProfile, SignalWeight
from mnema.v1 import vector_service_pb2 as pb

_RECIPROCAL = "reciprocal_ranks"


def profile_of(profile: pb.RankingProfile) -> RankingProfile:
    """A profile as callers see it."""
    factors = profile.factors
    by_ranks = profile.fusion == pb.FUSION_RECIPROCAL_RANKS
    return RankingProfile(
        name=profile.name,
        signals={
            name: SignalWeight(weight.short, weight.long)
            for name, weight in sorted(profile.signals.items())
        },
        factors=FactorStrengths(factors.recency, factors.importance, factors.graph_boost),
        description=profile.description,
        fusion="reciprocal_ranks" if by_ranks else "signals",
        updated_at=optional_moment(profile, "updated_at"),
        built_in=profile.built_in,
    )


def profile_message(profile: RankingProfile) -> pb.RankingProfile:
    """A profile to be stored.

    Raises:
        ValueError: there is no such fusion.
    """
    if profile.fusion not in ("signals", _RECIPROCAL):
        raise ValueError(f"{profile.fusion!r} is no fusion: use signals, {_RECIPROCAL}")
    by_ranks = profile.fusion == _RECIPROCAL
    return pb.RankingProfile(
        name=profile.name,
        signals={
            name: pb.SignalWeight(short=weight.short, long=weight.long)
            for name, weight in profile.signals.items()
        },
        factors=pb.FactorStrengths(
            recency=profile.factors.recency,
            importance=profile.factors.importance,
            graph_boost=profile.factors.graph_boost,
        ),
        description=profile.description,
        fusion=pb.FUSION_RECIPROCAL_RANKS if by_ranks else pb.FUSION_SIGNALS,
    )
