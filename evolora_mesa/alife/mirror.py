"""Mesa agents that are made when somebody looks: arrays are the truth, and most runs are never looked at."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import mesa
from mesa.agent import AgentSet

from evolora_mesa.alife.interface import EvoModel

__all__ = ["MirrorModel", "Reflection"]


class Reflection(mesa.Agent):
    """One living individual. It stays the same object for as long as the individual lives.

    Args:
        model: whose arrays it reads.
        uid: id in the event log.
        row: place in the model's arrays.
    """

    def __init__(self, model: MirrorModel, uid: int, row: int) -> None:
        super().__init__(model)
        self.uid, self.row = uid, row


class MirrorModel(EvoModel):
    """A model whose ``agents`` are brought up to date with its arrays when they are asked for.

    Creating a Mesa agent takes longer than the whole life of an individual in arrays: 10,000 hosts with their
    symbionts would otherwise spend nine tenths of a run on being registered.
    """

    def __init__(self, *, rng: int = 0, record: bool = True) -> None:
        super().__init__(rng=rng, record=record)
        self._reflections: dict[int, Reflection] = {}

    @abstractmethod
    def living(self) -> Iterable[tuple[type[Reflection], Sequence[int], Sequence[int]]]:
        """By kind of agent: ids and rows of those who are alive."""

    def _reflect(self) -> None:
        here = {uid: (kind, row) for kind, uids, rows in self.living() for uid, row in zip(uids, rows, strict=True)}
        for uid in self._reflections.keys() - here.keys():
            self._reflections.pop(uid).remove()
        for uid, (kind, row) in here.items():
            if uid in self._reflections:
                self._reflections[uid].row = row
            else:
                self._reflections[uid] = kind(self, uid, row)

    @property
    def agents(self) -> AgentSet[Any]:
        """Everybody who is alive now."""
        self._reflect()
        return super().agents

    @agents.setter
    def agents(self, agents: Any) -> None:
        raise AttributeError("agents follow the model's arrays and cannot be set")

    @property
    def agents_by_type(self) -> dict[type[mesa.Agent], AgentSet[Any]]:
        """Everybody who is alive now, by kind."""
        self._reflect()
        return super().agents_by_type

    @property
    def agent_types(self) -> list[type]:
        """Kinds of agents that have been seen."""
        self._reflect()
        return super().agent_types

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The base's; agents that somebody holds are no longer of this world."""
        while self._reflections:
            self._reflections.popitem()[1].remove()
        super().load_state_dict(state)
