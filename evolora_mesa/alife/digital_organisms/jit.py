"""The kernels' compiler: numba where it is installed, plain Python where not. The same source, the same numbers."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

__all__ = ["COMPILED", "kernel"]

_Function = TypeVar("_Function", bound=Callable)


def _installed() -> bool:
    if importlib.util.find_spec("numba") is None:
        return False
    from numba import config

    return not config.DISABLE_JIT  # numba's own switch, the environment's NUMBA_DISABLE_JIT=1


def _cache_folder() -> str | None:
    """Where compiled kernels are kept, by what is written in all their files; None if nothing can be written.

    Numba itself looks at a function's own file only: it would go on using a kernel whose callee, in another file, has
    changed since.
    """
    from numba import config

    here = Path(__file__).parent
    sources = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(here.glob("*.py")))).hexdigest()
    roots = [Path(config.CACHE_DIR)] if config.CACHE_DIR else [here / "__pycache__", Path.home() / ".cache" / "evolora"]
    for root in roots:
        folder = root / f"kernels-{sources[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return None


COMPILED: Final = _installed()
_FOLDER: Final = _cache_folder() if COMPILED else None


def kernel(function: _Function) -> _Function:
    """``function``, compiled at its first call and kept on disk where there is a folder to write to."""
    if not COMPILED:
        return function
    import numba

    usual, numba.config.CACHE_DIR = numba.config.CACHE_DIR, _FOLDER or ""
    try:
        return numba.njit(cache=_FOLDER is not None)(function)
    finally:
        numba.config.CACHE_DIR = usual
