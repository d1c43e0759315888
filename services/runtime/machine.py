"""How much of the machine this process may use."""

import math
import os
from pathlib import Path

_CORES_LIMIT = Path("/sys/fs/cgroup/cpu.max")
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


def usable_cores(limit: Path = _CORES_LIMIT) -> int:
    """Cores by affinity and by the container's quota (`limit`: cgroup v2's cpu.max), at least 1.

    More threads than the quota allows are stopped by the kernel in the middle of a run.
    """
    # macOS knows no affinity.
    affine = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if affine else os.cpu_count() or 1
    if limit.is_file():
        quota, period = limit.read_text().split()
        if quota != "max":
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(cores, 1)


def usable_memory(limit: Path = _MEMORY_LIMIT) -> int:
    """Octets of memory: the machine's, or the container's (`limit`: cgroup v2's memory.max)."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if limit.is_file():
        most = limit.read_text().strip()
        if most != "max":
            total = min(total, int(most))
    return total
