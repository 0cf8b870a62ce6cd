"""Relief for a world that stands still: more mutation and more curiosity until something moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evolora_mesa.config_evolution import DiversityConfig
from evolora_mesa.evolution.plateau import Plateau

__all__ = ["Relief"]


class Relief:
    """Watches the reward of the generations and the children that pass the gate.

    Args:
        settings: length of the watch, and the factor.
    """

    def __init__(self, settings: DiversityConfig) -> None:
        self._window, self._factor = settings.plateau_window, settings.relief
        self._plateau = Plateau(settings.plateau_window)
        self._since_accepted = 0

    def observe(self, reward: float | None, accepted: int) -> None:
        """Take in a generation: its mean reward, if anybody worked, and the children accepted."""
        if reward is not None:
            self._plateau.observe(reward)
        self._since_accepted = 0 if accepted else self._since_accepted + 1

    @property
    def stalled(self) -> bool:
        """The reward has not risen, and no child was accepted, for as long as both were watched."""
        return self._plateau.plateaued and self._since_accepted >= self._window

    @property
    def factor(self) -> float:
        """On mutation strength, exploration and curiosity: above 1 while the world stands still."""
        return self._factor if self.stalled else 1.0

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"plateau": self._plateau.state_dict(), "since_accepted": self._since_accepted}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._plateau.load_state_dict(state["plateau"])
        self._since_accepted = state["since_accepted"]
