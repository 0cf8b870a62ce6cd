"""How much memory there is."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["GIB", "free_memory"]

GIB = 2**30


def free_memory() -> int | None:
    """Bytes a process may still take: MemAvailable on Linux, elsewhere the whole; None if unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # AttributeError: Windows has no sysconf
        return None
