"""The kernels' compiler: numba where it is installed, plain Python where not. The same source, the same numbers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["COMPILED", "kernel"]

_Function = TypeVar("_Function", bound=Callable)


def _installed() -> bool:
    if importlib.util.find_spec("numba") is None:
        return False
    from numba import config

    return not config.DISABLE_JIT  # numba's own switch, the environment's NUMBA_DISABLE_JIT=1


COMPILED: Final = _installed()


def kernel(function: _Function) -> _Function:
    """``function``, compiled at its first call and kept on disk where there is a folder to write to."""
    if not COMPILED:
        return function
    import numba

    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:  # numba finds no folder for its cache
        return numba.njit(function)
