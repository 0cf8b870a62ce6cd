"""Two settings that tune themselves: the energy floor of reproduction and the gate's window of prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from evolora_mesa.config_evolution import GateConfig, ReproductionConfig
from evolora_mesa.evolution.trial import Decision

__all__ = ["Tuner"]

_MEMORY: Final = 0.9  # of the shares, per attempt or verdict
_STEP: Final = 1.1
_MANY: Final = 0.5


class Tuner:
    """A proportional controller for each; both stay inside the bounds of the settings.

    The floor falls while most of those who would reproduce are too poor, and rises while most find no room for another
    trial. The window grows while most trials end undecided, and shrinks while most are decided within one.

    Args:
        reproduction, gate: first values and bounds.
        enabled: off leaves the first values.

    Attributes:
        floor: energy.
        window: prompts per generation and trial.
    """

    def __init__(self, reproduction: ReproductionConfig, gate: GateConfig, *, enabled: bool) -> None:
        self._reproduction, self._gate, self.enabled = reproduction, gate, enabled
        self.floor, self._window = reproduction.floor, float(gate.window)
        self._poor = self._crowded = self._undecided = self._quick = 0.0

    @property
    def window(self) -> int:
        return round(self._window)

    def observe(self, conceived: int, refused: Mapping[str, int], decisions: Sequence[Decision]) -> None:
        """Take in a generation: children conceived, those refused by reason, and the decisions on trials."""
        if not self.enabled:
            return
        attempts = conceived + sum(refused.values())
        if attempts:
            self._poor = _moved(self._poor, refused.get("low_energy", 0) / attempts)
            self._crowded = _moved(self._crowded, refused.get("no_room", 0) / attempts)
            if self._poor > _MANY:
                self.floor = max(self.floor / _STEP, self._reproduction.floor_low)
            elif self._crowded > _MANY:
                self.floor = min(self.floor * _STEP, self._reproduction.floor_high)
        for decision in decisions:
            if decision.verdict == "deferred" or not decision.trial.prompts.any():
                continue
            self._undecided = _moved(self._undecided, decision.reason == "probation_over")
            self._quick = _moved(self._quick, decision.trial.prompts.sum() <= self._window)
            if self._undecided > _MANY:
                self._window = min(self._window * _STEP, self._gate.window_high)
            elif self._quick > _MANY:
                self._window = max(self._window / _STEP, self._gate.window_low)

    def state_dict(self) -> dict[str, Any]:
        """Floor, window, and the four running shares that move them."""
        return {
            "floor": self.floor,
            "window": self._window,
            "poor": self._poor,
            "crowded": self._crowded,
            "undecided": self._undecided,
            "quick": self._quick,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.floor, self._window = state["floor"], state["window"]
        self._poor, self._crowded = state["poor"], state["crowded"]
        self._undecided, self._quick = state["undecided"], state["quick"]


def _moved(share: float, now: float) -> float:
    return _MEMORY * share + (1 - _MEMORY) * now
