"""The end of a run: its length, extinction, a model that switches itself off, or a figure that stands still."""

from __future__ import annotations

import math
from collections.abc import Mapping

from evolora_mesa.evolution.plateau import Plateau
from evolora_mesa.study.sweep.job import Job

__all__ = ["Stopping"]


class Stopping:
    """Watches one run and says when it is over, and how.

    Args:
        job: whose rules they are.
    """

    def __init__(self, job: Job) -> None:
        self._generations, rules = job.generations, job.until
        self._extinct = rules.get("extinct", True)
        self._standstill = _Standstill(**rules["plateau"]) if rules.get("plateau") else None

    @property
    def figure(self) -> str | None:
        """The figure that is watched for a standstill."""
        return self._standstill.figure if self._standstill is not None else None

    def see(self, figures: Mapping[str, float | None]) -> None:
        """Take in the figures of a generation, that of the founding first."""
        if self._standstill is not None:
            self._standstill.see(figures)

    def outcome(self, lived: int, *, running: bool = True, extinct: bool = False) -> str:
        """How the run has ended, or "" while it goes on; the rarer ending wins.

        Args:
            lived: generations.
            running: what the model says of itself.
            extinct: nobody lives.
        """
        if extinct and self._extinct:
            return "extinct"
        if not running and not extinct:
            return "stopped"
        if self._standstill is not None and self._standstill.reached:
            return "plateau"
        return "finished" if lived >= self._generations else ""


class _Standstill:
    """A figure without a trend, up or down, over a window; Mann-Kendall tests on the means of blocks.

    Args:
        figure: its name.
        window: in generations.
    """

    def __init__(self, figure: str, window: int) -> None:
        self.figure = figure
        self._up, self._down = Plateau(window), Plateau(window)

    def see(self, figures: Mapping[str, float | None]) -> None:
        value = figures.get(self.figure)
        if value is not None and math.isfinite(value):
            self._up.observe(value)
            self._down.observe(-value)

    @property
    def reached(self) -> bool:
        return self._up.plateaued and self._down.plateaued
