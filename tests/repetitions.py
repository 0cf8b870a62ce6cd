"""Cases that go the way of a quicker case of the same test once more: they run with the slow tests."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["repeated"]


def repeated(*cases: Any) -> list[Any]:
    """Parameters for ``pytest.mark.parametrize``, a tuple for several names."""
    return [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow) for case in cases]
