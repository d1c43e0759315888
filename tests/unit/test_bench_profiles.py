"""Ranking profiles as the fit suite writes them and the quality suite reads them."""

from importlib.resources import files
from pathlib import Path

import pytest

from bench.profiles import ProfileError, profile, read, written
from mnema.v1 import vector_service_pb2 as pb
from services.vector.ranking.profile import BUILT_IN


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    factors = pb.FactorStrengths(recency=0.1, importance=0.25)
    made = profile("one", {"bm25": (0.1234, -1.5), "date": (-0.0004, 2.0)}, factors, 'a "word"')
    path.write_text(written(made, "Fitted to nothing."))

    found = read(path, "other")

    assert found == profile("other", {"bm25": (0.123, -1.5), "date": (0.0, 2.0)}, factors)
    assert "date = { short = 0.000, long = 2.000 }" in path.read_text()


def test_the_built_in_profiles_have_the_same_form() -> None:
    path = Path(str(files("services.vector.ranking").joinpath("profiles.toml")))

    found = read(path, "default")

    default = BUILT_IN["default"]
    assert {name: (each.short, each.long) for name, each in found.signals.items()} == {
        name: (each.short, each.long) for name, each in default.signals.items()
    }
    assert found.factors.recency == default.recency


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[other]\n", r"no table \[default\]"),
        ("[default\n", "is no ranking profile"),
        ("[default.signals]\n", "is no ranking profile"),
        ("[default.signals]\nbm25 = { short = 1 }\n", "long"),
        ("[default.signals]\nbm25 = { short = 1, long = 'x' }\n", "long"),
    ],
)
def test_what_is_no_profile_is_refused(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(content)

    with pytest.raises(ProfileError, match=why):
        read(path, "any")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"nowhere\.toml"):
        read(tmp_path / "nowhere.toml", "any")
