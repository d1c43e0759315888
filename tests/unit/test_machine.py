"""How much of the machine may be used: what it has, or what its container leaves of it."""

from pathlib import Path

import psutil
import pytest

from services.embedded.postgres import memory_settings
from services.runtime.machine import usable_cores, usable_memory

GIB = 2**30


def test_a_container_quota_limits_the_cores(tmp_path: Path) -> None:
    limit = tmp_path / "cpu.max"
    cores = usable_cores(tmp_path / "no cgroup")
    assert cores >= 1

    limit.write_text("50000 100000\n")
    assert usable_cores(limit) == 1
    limit.write_text("max 100000\n")
    assert usable_cores(limit) == cores


def test_a_container_limits_the_memory(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    memory = usable_memory(tmp_path / "no cgroup")
    assert memory == pytest.approx(psutil.virtual_memory().total, rel=0.02)

    limit.write_text("536870912\n")
    assert usable_memory(limit) == GIB // 2
    limit.write_text("max\n")
    assert usable_memory(limit) == memory


@pytest.mark.parametrize(
    ("memory", "buffers", "cache"),
    [(GIB // 4, "128MB", "512MB"), (8 * GIB, "1024MB", "4096MB"), (64 * GIB, "2048MB", "32768MB")],
)
def test_the_database_caches_an_eighth_of_it(memory: int, buffers: str, cache: str) -> None:
    expected = {"shared_buffers": buffers, "effective_cache_size": cache}
    assert memory_settings(memory) == expected
