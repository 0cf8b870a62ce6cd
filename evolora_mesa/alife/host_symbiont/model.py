"""Hosts and their endosymbionts: does it pay to be good to whom one is inherited with? (Symbulation's default mode)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import mesa
import numpy as np

from evolora_mesa.alife.host_symbiont.agents import Host, Symbiont
from evolora_mesa.alife.host_symbiont.chronicle import Chronicle
from evolora_mesa.alife.host_symbiont.interaction import HOST, ID, NOBODY, POINTS, SYMBIONT, VALUE, Rules
from evolora_mesa.alife.host_symbiont.reporters import REPORTERS
from evolora_mesa.alife.host_symbiont.turns import draw
from evolora_mesa.alife.host_symbiont.update import update
from evolora_mesa.alife.interface import Target, flag, real, whole
from evolora_mesa.alife.mirror import MirrorModel, Reflection

__all__ = ["HostSymbiont"]

_EIGHT = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dx, dy) != (0, 0)]


class HostSymbiont(MirrorModel):
    """A world full of hosts, each with one symbiont at most (Vostinar & Ofria 2018, Artificial Life 24:229).

    Args:
        rng: seed.
        record: keep the event log.
        width, height: cells of the torus; each holds one host, always.
        vertical: chance in [0, 1] that a symbiont's copy goes along with its host's child.
        host_start, symbiont_start: interaction value in [-1, 1] of the founders; "random" is uniform.
        infection: symbionts thrown at random hosts in the beginning, per host; one that hits a taken host is lost.
        mutation_size: standard deviation of a mutation of the interaction value.
        mutation_rate: chance of a mutation at birth.
        spatial: offspring goes to one of eight neighbours, not anywhere.
        meal, synergy, host_price, symbiont_price: see `Rules`.
        snapshot_every: updates between two snapshots of everybody in the log.

    Attributes:
        tenants: ``[2, 4, cells]`` value, points, generation and id of host and symbiont; cell = y · width + x.
        born: ``[2, cells]`` update of their birth.
        turnovers: births per living agent since the beginning: the time of the log, in generations.

    Raises:
        ConfigError: an argument is of the wrong type or out of range.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"energy", "birth", "heredity", "death", "niches", "space"})

    def __init__(
        self,
        *,
        rng: int = 0,
        record: bool = True,
        width: int = 100,
        height: int = 100,
        vertical: float = 0.3,
        host_start: float | Literal["random"] = "random",
        symbiont_start: float | Literal["random"] = "random",
        infection: float = 1.0,
        mutation_size: float = 0.05,
        mutation_rate: float = 1.0,
        spatial: bool = False,
        meal: float = 100.0,
        synergy: float = 5.0,
        host_price: float = 1000.0,
        symbiont_price: float = 100.0,
        snapshot_every: int = 50,
    ) -> None:
        super().__init__(rng=rng, record=record)
        self.width, self.height = whole("width", width, low=3, high=1000), whole("height", height, low=3, high=1000)
        self.vertical = real("vertical", vertical, low=0.0, high=1.0)
        self.mutation_size = real("mutation_size", mutation_size, low=0.0, high=2.0)
        self.mutation_rate = real("mutation_rate", mutation_rate, low=0.0, high=1.0)
        self.snapshot_every = whole("snapshot_every", snapshot_every, low=1)
        self.rules = Rules(
            real("meal", meal, low=0.0, high=1e9),
            real("synergy", synergy, low=0.0, high=1e6),
            real("host_price", host_price, low=1.0, high=1e12),
            real("symbiont_price", symbiont_price, low=1.0, high=1e12),
        )
        self.neighbours = self._moore() if flag("spatial", spatial) else None
        self.turnovers = 0.0
        self.log.run["apart"] = "niche"  # a symbiont's parent is a symbiont, in a shadow too
        self.chronicle = Chronicle(self)
        self._found(host_start, symbiont_start, real("infection", infection, low=0.0, high=100.0))
        self.datacollector = mesa.DataCollector(model_reporters=REPORTERS)
        self.datacollector.collect(self)

    # ---------------------------------------------------------------- building

    def _moore(self) -> np.ndarray:
        """``[cells, 8]`` cells around each, on the torus."""
        y, x = np.divmod(np.arange(self.width * self.height), self.width)
        return np.stack([(y + dy) % self.height * self.width + (x + dx) % self.width for dx, dy in _EIGHT], axis=1)

    def _found(self, host_start: float | str, symbiont_start: float | str, infection: float) -> None:
        """Hosts everywhere, symbionts thrown at them."""
        rng, cells = self.streams.numpy("founders"), self.width * self.height
        self.tenants, self.born = np.zeros((2, 4, cells)), np.zeros((2, cells), int)
        self.tenants[HOST, VALUE] = _values("host_start", host_start, cells, rng)
        self.tenants[HOST, ID] = np.arange(cells)
        hit = np.unique(rng.integers(0, cells, round(infection * cells)))
        self.tenants[SYMBIONT, ID] = NOBODY
        self.tenants[SYMBIONT, VALUE, hit] = _values("symbiont_start", symbiont_start, len(hit), rng)
        self.tenants[SYMBIONT, ID, hit] = cells + np.arange(len(hit))
        self.next_id = cells + len(hit)
        self.chronicle.founders()
        self.snapshot()

    # ---------------------------------------------------------------- one update

    def step(self) -> None:
        """Everybody eats, and has offspring when it can; hosts take turns in random order."""
        self.tick += 1
        chance = draw(
            self.streams.numpy("turns"),
            self.neighbours,
            self.born.shape[1],
            vertical=self.vertical,
            size=self.mutation_size,
            rate=self.mutation_rate,
        )
        done = update(self.tenants, chance, self.rules, self.next_id)
        self.born[done.tenants[:, ID] >= self.next_id] = self.tick
        self.tenants = done.tenants
        births = sum(len(newborn.parents) for newborn in done.born)
        self.next_id += births
        self.turnovers += births / int((self.tenants[:, ID] >= 0).sum())
        self.chronicle.record(done)
        if self.tick % self.snapshot_every == 0:
            self.snapshot()
        self.datacollector.collect(self)

    def snapshot(self) -> None:
        """Everybody who is alive now, to the log."""
        self.chronicle.snapshot()

    # ---------------------------------------------------------------- looking

    def alive(self, kind: int) -> np.ndarray:
        """``[cells]`` bool: where a host (always) or a symbiont lives."""
        return self.tenants[kind, ID] >= 0

    def symbionts(self) -> np.ndarray:
        """Interaction values ``(n,)`` of the symbionts."""
        return self.tenants[SYMBIONT, VALUE, self.alive(SYMBIONT)]

    def living(self) -> Iterator[tuple[type[Reflection], list[int], list[int]]]:
        """Hosts, then symbionts."""
        for kind, agent in ((HOST, Host), (SYMBIONT, Symbiont)):
            rows = np.flatnonzero(self.alive(kind))
            yield agent, self.tenants[kind, ID, rows].astype(int).tolist(), rows.tolist()

    def picture(self) -> dict[str, Any]:
        """Interaction values of hosts and of symbionts (nan where there is none), by cell."""
        y, x = np.divmod(np.arange(self.born.shape[1]), self.width)
        value = np.where(self.alive(SYMBIONT), self.tenants[SYMBIONT, VALUE], np.nan)
        layers = {"host": self.tenants[HOST, VALUE], "symbiont": value}
        return {
            "shape": (self.width, self.height),
            "layers": {name: layer.reshape(self.height, self.width).T for name, layer in layers.items()},
            "agents": {"x": x, "y": y, "energy": self.tenants[HOST, POINTS], "colour": value},
            "series": self.series(),
        }

    # ---------------------------------------------------------------- keeping

    def state_dict(self) -> dict[str, Any]:
        """The base's, with tenants and births."""
        state = super().state_dict() | {"next_id": self.next_id, "turnovers": self.turnovers}
        state["arrays"] |= {"tenants": self.tenants.copy(), "born": self.born.copy()}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        super().load_state_dict(state)
        self.next_id, self.turnovers = state["next_id"], state["turnovers"]
        self.tenants, self.born = state["arrays"]["tenants"].copy(), state["arrays"]["born"].copy()

    @classmethod
    def reference(cls, *, quick: bool) -> list[Target]:
        """What upstream's integration test requires; see `conditions`."""
        from evolora_mesa.alife.host_symbiont.conditions import targets

        return targets(quick=quick)


def _values(name: str, start: float | str, n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-1.0, 1.0, n) if start == "random" else np.full(n, real(name, start, low=-1.0, high=1.0))
