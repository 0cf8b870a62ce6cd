"""Whether reading pays: what every organelle has seen of answering alone, with a post, and with an example.

Thompson sampling (W. R. Thompson, 1933) on expected profit, net of what the hint costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from evolora_mesa.organelle import Organelle
from evolora_mesa.refill import refill

__all__ = ["ALONE", "WAYS", "Readers"]

WAYS: Final = ("alone", "board", "knowledge")
ALONE: Final = 0
_PRIOR: Final = (0.6, 1.4)  # as of a cell that nobody has tried
_NOBODY: Final = -1


class Readers:
    """Evidence stacked by bank slot.

    Args:
        capacity: bank slots.
        families: their number.
        memory: share of the evidence that is kept per generation.

    Attributes:
        paid, unpaid: ``[capacity, ways, families]`` what rewards added up to, and what they fell short of 1 by.
    """

    def __init__(self, capacity: int, families: int, memory: float) -> None:
        self.memory = memory
        self.paid, self.unpaid = (np.zeros((capacity, len(WAYS), families)) for _ in range(2))
        self._owner = np.full(capacity, _NOBODY)

    def welcome(self, organelles: Sequence[Organelle]) -> None:
        """Newborns believe half as firmly what their first parent that is still known does."""
        held = {owner: slot for slot, owner in enumerate(self._owner.tolist()) if owner != _NOBODY}
        before = self.paid.copy(), self.unpaid.copy()
        for organelle in organelles:
            if self._owner[organelle.slot] == organelle.unique_id:
                continue
            teacher = next((held[parent] for parent in organelle.parents if parent in held), None)
            for array, old in zip((self.paid, self.unpaid), before, strict=True):
                array[organelle.slot] = 0.0 if teacher is None else 0.5 * old[teacher]
            self._owner[organelle.slot] = organelle.unique_id

    def choose(
        self, slots: np.ndarray, families: np.ndarray, income: np.ndarray, costs: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """How each row is answered.

        Args:
            slots, families: ``[rows]`` of the owners and the tasks.
            income: ``[rows]`` what a success is expected to be paid, in energy.
            costs: ``[rows, ways]`` of the hint, in energy; infinite where none is offered.

        Returns:
            ``[rows]`` place in `WAYS`.
        """
        plausible = rng.beta(self.paid[slots, :, families] + _PRIOR[0], self.unpaid[slots, :, families] + _PRIOR[1])
        return (income[:, None] * plausible - costs).argmax(1)

    def learn(self, slots: np.ndarray, families: np.ndarray, ways: np.ndarray, rewards: np.ndarray) -> None:
        """Take in a generation's outcomes, all ``[rows]``; rewards in [0, 1]."""
        present = np.unique(slots)
        for array, evidence in ((self.paid, rewards), (self.unpaid, 1 - rewards)):
            array[present] *= self.memory
            np.add.at(array, (slots, ways, families), evidence)

    # ------------------------------------------------------------------ state

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"paid": self.paid, "unpaid": self.unpaid, "owner": self._owner}

    def state_dict(self) -> dict[str, Any]:
        """Copies of all evidence, and whose it is."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        for name, array in self._arrays().items():
            refill(array, state[name], f"readers, {name}")
