"""The kernels' compiler: numba where it is installed, plain Python where not. The same source, the same numbers."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

__all__ = ["COMPILED", "kernel"]

_Function = TypeVar("_Function", bound=Callable)


def _numba() -> Any:
    """Numba, or None where it is not installed or its own switch NUMBA_DISABLE_JIT=1 is set."""
    if importlib.util.find_spec("numba") is None:
        return None
    numba = importlib.import_module("numba")
    return None if numba.config.DISABLE_JIT else numba


def _cache_folder(given: str) -> str | None:
    """Where compiled kernels are kept, by what is written in all their files; None if nothing can be written.

    Numba itself looks at a function's own file only: it would go on using a kernel whose callee, in another file, has
    changed since.

    Args:
        given: NUMBA_CACHE_DIR, or "".
    """
    here = Path(__file__).parent
    sources = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(here.glob("*.py")))).hexdigest()
    roots = [Path(given)] if given else [here / "__pycache__", Path.home() / ".cache" / "evolora"]
    for root in roots:
        folder = root / f"kernels-{sources[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return None


_NUMBA: Final = _numba()
_FOLDER: Final = _cache_folder(_NUMBA.config.CACHE_DIR) if _NUMBA else None
COMPILED: Final = _NUMBA is not None


def kernel(function: _Function) -> _Function:
    """``function``, compiled at its first call and kept on disk where there is a folder to write to."""
    if not COMPILED:
        return function
    config = _NUMBA.config
    usual, config.CACHE_DIR = config.CACHE_DIR, _FOLDER or ""
    try:
        return _NUMBA.njit(cache=_FOLDER is not None)(function)
    finally:
        config.CACHE_DIR = usual
