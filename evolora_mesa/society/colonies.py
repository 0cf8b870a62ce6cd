"""All colonies of a world: who is in which, who has failed, and what probes have shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evolora_mesa.config_society import ColoniesConfig
from evolora_mesa.organelle import Organelle
from evolora_mesa.society.colony import Colony
from evolora_mesa.society.questions import Replies
from evolora_mesa.society.recruiting import Probes
from evolora_mesa.society.sitting import Sitting

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Colonies", "Shift"]


class Shift(NamedTuple):
    """One colony's work of a generation: ``rows [tasks, answers]`` of the workload."""

    colony: Colony
    rows: np.ndarray


class Colonies:
    """The colonies of one world. What they do in a generation is in `joint_work` and `council`.

    Args:
        settings: whether there are any.

    Attributes:
        living: those founded and those that audition for it, oldest first.
        refused: pairs that have failed, and the generation from which they may try again.
        probes: results of co-routing probes.
        shifts: joint work of this generation.
        sittings: all answers of this generation, those of the shifts first.
        replies: to what they asked in the generation's host call.
        numbered: number of the latest colony.
    """

    def __init__(self, settings: ColoniesConfig) -> None:
        self.settings = settings
        self.living: list[Colony] = []
        self.refused: dict[tuple[int, int], int] = {}
        self.probes = Probes()
        self.shifts: list[Shift] = []
        self.sittings: list[Sitting] = []
        self.replies = Replies.none()
        self.numbered = 0

    @property
    def founded(self) -> list[Colony]:
        """Those that have passed."""
        return [colony for colony in self.living if colony.founded is not None]

    @property
    def has_room_for_trial(self) -> bool:
        """Whether one more trial may begin."""
        return sum(colony.audition is not None for colony in self.living) < self.settings.most_trials

    def free(self, model: EcologyModel) -> list[Organelle]:
        """Grown citizens without a colony, oldest first."""
        bound = {member for colony in self.living for member in colony.members}
        grown = model.config.reproduction.maturity
        return [o for o in model.organelles() if not o.on_trial and o.age >= grown and o.unique_id not in bound]

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values; adapters are in the bank, pots in the ledger."""
        return {
            "numbered": self.numbered,
            "living": [colony.state_dict() for colony in self.living],
            "refused": [[*pair, until] for pair, until in self.refused.items()],
            "probes": self.probes.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.numbered = state["numbered"]
        self.living = [Colony.from_state(colony) for colony in state["living"]]
        self.refused = {(one, other): until for one, other, until in state["refused"]}
        self.probes.load_state_dict(state["probes"])
        self.shifts, self.sittings = [], []
