"""Owners hand single units to one another at random (Dragulescu & Yakovenko 2000): the Gini coefficient is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import mesa
import numpy as np

from evolora_mesa.alife.boltzmann.exchange import meet_anybody, meet_neighbours
from evolora_mesa.alife.interface import Target, one_of, whole
from evolora_mesa.alife.mirror import MirrorModel, Reflection
from evolora_mesa.economy.metrics import gini

__all__ = ["Boltzmann", "Trader"]


class Trader(Reflection):
    """Owns a number of units."""

    model: Boltzmann

    @property
    def energy(self) -> int:
        """Units that it owns."""
        return int(self.model.wealth[self.row])

    @property
    def age(self) -> int:
        """Ticks; all are as old as the world."""
        return self.model.tick

    @property
    def generation(self) -> float:
        """Nobody is ever born."""
        return 0.0

    def genotype_key(self) -> str:
        """All are alike."""
        return "owner"

    def phenotype_key(self) -> str:
        """All are alike."""
        return "owner"

    def niche(self) -> None:
        """There are none."""

    def fitness(self) -> None:
        """There is none."""

    def trait(self) -> dict[str, float]:
        """Nothing is heritable."""
        return {}


class Boltzmann(MirrorModel):
    """A closed economy without production, births or deaths.

    Args:
        rng: seed.
        record: keep the event log.
        agents: owners.
        wealth: units that each has at first.
        meeting: "anybody", a tick is as many exchanges between random pairs as there are owners; "neighbours", each
            owner in random order steps to a cell around and gives to somebody there, as in Mesa's own example.
        width, height: cells for "neighbours"; the edges do not meet.
        snapshot_every: ticks between two snapshots of everybody in the log.

    Attributes:
        wealth: units ``(agents,)``; their sum never changes.
        cells: where each owner stands; y · width + x.

    Raises:
        ConfigError: an argument is of the wrong type or out of range.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"energy"})

    def __init__(
        self,
        *,
        rng: int = 0,
        record: bool = True,
        agents: int = 100,
        wealth: int = 1,
        meeting: str = "anybody",
        width: int = 10,
        height: int = 10,
        snapshot_every: int = 10,
    ) -> None:
        super().__init__(rng=rng, record=record)
        self.meeting = one_of("meeting", meeting, ("anybody", "neighbours"))
        self.width, self.height = whole("width", width, low=2, high=10_000), whole("height", height, low=2, high=10_000)
        self.snapshot_every = whole("snapshot_every", snapshot_every, low=1)
        n = whole("agents", agents, low=2)
        self.wealth = np.full(n, whole("wealth", wealth, low=1))
        self.cells = self.streams.numpy("founders").integers(0, self.width * self.height, n)
        owner = {"geno": self.log.code("geno", "owner"), "pheno": self.log.code("pheno", "owner")}
        self.log.births(0, 0.0, np.arange(n), op="init", energy=self.wealth, **owner)
        self.snapshot()
        self.datacollector = mesa.DataCollector(model_reporters=_REPORTERS)
        self.datacollector.collect(self)

    def step(self) -> None:
        """Everybody meets somebody, on average."""
        self.tick += 1
        rng = self.streams.numpy("meeting")
        if self.meeting == "anybody":
            moved = meet_anybody(self.wealth, rng)
        else:
            moved = meet_neighbours(self.wealth, self.cells, (self.width, self.height), rng)
        self.log.energy(self.tick, -1, "given", -moved)
        self.log.energy(self.tick, -1, "received", moved)
        if self.tick % self.snapshot_every == 0:
            self.snapshot()
        self.datacollector.collect(self)

    def snapshot(self) -> None:
        """All owners, to the log."""
        self.log.snapshot(self.tick, 0.0, np.arange(len(self.wealth)), self.wealth, self.tick, 0.0)

    # ---------------------------------------------------------------- looking

    def living(self) -> Iterator[tuple[type[Reflection], list[int], list[int]]]:
        """All owners, always."""
        everybody = list(range(len(self.wealth)))
        yield Trader, everybody, everybody

    def picture(self) -> dict[str, Any]:
        """Who stands where with how much; without a place for anybody unless neighbours meet."""
        y, x = np.divmod(self.cells, self.width)
        shape = (self.width, self.height) if self.meeting == "neighbours" else None
        return {
            "shape": shape,
            "layers": {},
            "agents": {"x": x, "y": y, "energy": self.wealth, "colour": self.wealth},
            "series": self.series(),
        }

    # ---------------------------------------------------------------- keeping

    def state_dict(self) -> dict[str, Any]:
        """The base's, with wealth and places."""
        state = super().state_dict()
        state["arrays"] |= {"wealth": self.wealth.copy(), "cells": self.cells.copy()}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        super().load_state_dict(state)
        self.wealth, self.cells = state["arrays"]["wealth"].copy(), state["arrays"]["cells"].copy()

    @classmethod
    def reference(cls, *, quick: bool) -> list[Target]:
        """The Gini coefficient against its closed form; see `targets`."""
        from evolora_mesa.alife.boltzmann.targets import targets

        return targets(quick=quick)


def wealth_gini(model: Boltzmann) -> float:
    """Inequality of wealth, 0 to 1."""
    return gini(model.wealth)


def richest(model: Boltzmann) -> int:
    """Units of the richest owner."""
    return int(model.wealth.max())


def broke(model: Boltzmann) -> int:
    """Owners of nothing."""
    return int((model.wealth == 0).sum())


_REPORTERS = {f.__name__: f for f in (wealth_gini, richest, broke)}
