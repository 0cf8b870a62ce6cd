"""Wolves eat sheep, sheep eat grass, grass grows back (Wilensky 1997, NetLogo Wolf Sheep Predation)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import mesa
import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.interface import Target, flag, one_of, real, whole
from evolora_mesa.alife.mirror import MirrorModel, Reflection
from evolora_mesa.alife.wolf_sheep import seek, wander
from evolora_mesa.alife.wolf_sheep.agents import Sheep, Wolf
from evolora_mesa.alife.wolf_sheep.herd import (
    BORN,
    ENERGY,
    GENERATION,
    ID,
    SHEEP,
    STRIDE,
    WOLVES,
    Herd,
    Species,
    X,
    Y,
    bear,
    cells_of,
    found,
    upkeep,
)
from evolora_mesa.alife.wolf_sheep.reporters import REPORTERS

__all__ = ["WolfSheep"]

_STRIDE_BINS: Final = 10  # genotypes per cell of stride


class WolfSheep(MirrorModel):
    """Predator, prey and pasture on a torus.

    Args:
        rng: seed.
        record: keep the event log.
        width, height: cells of the torus.
        sheep, wolves: founders.
        sheep_gain, wolf_gain: energy of a meal.
        sheep_fertility, wolf_fertility: chance in [0, 1] of a child per tick; it takes half of its parent's energy.
        grass: sheep live on grass; without it they need no energy.
        regrowth: ticks until eaten grass is grown again.
        moves: "wander" is Wilensky's blind walk; "seek" looks at the four cells around, as Mesa's own example does.
        stride_drift: most by which a child's stride differs from its parent's, in cells; 0 means that nothing is
            inherited. Only wanderers have strides.
        most_sheep: the run ends above it: without grass nothing else keeps them from inheriting the earth.
        snapshot_every: ticks between two snapshots of everybody in the log.

    Attributes:
        herds: sheep and wolves, arrays ``(8, n)`` as `herd` describes.
        ripe: ``(cells,)`` tick from which grass can be eaten; cell = y · width + x.

    Raises:
        ConfigError: an argument is of the wrong type or out of range.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"energy", "birth", "heredity", "death", "niches", "space"})

    def __init__(
        self,
        *,
        rng: int = 0,
        record: bool = True,
        width: int = 51,
        height: int = 51,
        sheep: int = 100,
        wolves: int = 50,
        sheep_gain: float = 4.0,
        wolf_gain: float = 20.0,
        sheep_fertility: float = 0.04,
        wolf_fertility: float = 0.05,
        grass: bool = True,
        regrowth: int = 30,
        moves: str = "wander",
        stride_drift: float = 0.0,
        most_sheep: int = 30_000,
        snapshot_every: int = 10,
    ) -> None:
        super().__init__(rng=rng, record=record)
        self.width, self.height = whole("width", width, low=3, high=10_000), whole("height", height, low=3, high=10_000)
        self.grass, self.regrowth = flag("grass", grass), whole("regrowth", regrowth, low=1)
        self.moves = one_of("moves", moves, ("wander", "seek"))
        self.stride_drift = real("stride_drift", stride_drift, low=0.0, high=0.0 if moves == "seek" else 1.0)
        self.most_sheep = whole("most_sheep", most_sheep, low=1)
        self.snapshot_every = whole("snapshot_every", snapshot_every, low=1)
        fertility = [
            real(name, chance, low=0.0, high=1.0)
            for name, chance in (("sheep_fertility", sheep_fertility), ("wolf_fertility", wolf_fertility))
        ]
        gains = [real(name, gain, low=0.0) for name, gain in (("sheep_gain", sheep_gain), ("wolf_gain", wolf_gain))]
        self.species = (
            Species("sheep", "grass", gains[SHEEP], fertility[SHEEP]),
            Species("wolf", "sheep", gains[WOLVES], fertility[WOLVES]),
        )
        if not self.stride_drift:  # a log that claims heredity would be read as evolution
            self.log.capabilities -= {"heredity"}
        self.log.run["apart"] = "niche"  # a lamb's parent is a sheep, in a shadow too
        self._found(whole("sheep", sheep, low=0), whole("wolves", wolves, low=0))
        self.datacollector = mesa.DataCollector(model_reporters=REPORTERS)
        self.datacollector.collect(self)

    def _found(self, sheep: int, wolves: int) -> None:
        rng, cells = self.streams.numpy("founders"), self.width * self.height
        self.ripe = np.where(rng.random(cells) < 0.5, 0, 1 + rng.integers(0, self.regrowth, cells))
        self.herds: list[Herd] = [
            found(sheep, self.species[SHEEP], self.size, 0, rng),
            found(wolves, self.species[WOLVES], self.size, sheep, rng),
        ]
        self.next_id = sheep + wolves
        for kind, herd in enumerate(self.herds):
            self.log.births(0, 0.0, herd[ID], op="init", energy=herd[ENERGY], **self._keys(kind, herd))
        self.snapshot()

    # ---------------------------------------------------------------- one tick

    def step(self) -> None:
        """Sheep live a day, then wolves; grass grows by itself."""
        self.tick += 1
        self._live(SHEEP, self._graze(), upkeep(self.herds[SHEEP]) * self.grass)
        prey = self._hunt()
        self._bury(SHEEP, prey[prey >= 0], "eaten")
        self._live(WOLVES, prey >= 0, upkeep(self.herds[WOLVES]))
        sheep, wolves = (herd.shape[1] for herd in self.herds)
        self.running = sheep + wolves > 0 and sheep <= self.most_sheep
        if self.tick % self.snapshot_every == 0:
            self.snapshot()
        self.datacollector.collect(self)

    def _graze(self) -> NDArray[np.bool_]:
        """Sheep move; who of them ate, ``(n,)``."""
        sheep, rng = self.herds[SHEEP], self.streams.numpy("graze")
        grown = self.grown()
        before = grown.copy()
        if self.moves == "seek":
            fed = seek.graze(sheep, self.herds[WOLVES], grown, self.size, rng)
        else:
            fed = wander.graze(sheep, grown, self.size, rng)
        # Eaten now, grass is there again for the sheep of tick now + regrowth + 1: NetLogo counts it down after they
        # have moved.
        self.ripe[before & ~grown] = self.tick + self.regrowth + 1
        return fed

    def _hunt(self) -> NDArray[np.int64]:
        """Wolves move; column of the sheep that each ate, or -1."""
        how = seek.hunt if self.moves == "seek" else wander.hunt
        return how(self.herds[WOLVES], self.herds[SHEEP], self.size, self.streams.numpy("hunt"))

    def _live(self, kind: int, fed: NDArray[np.bool_], cost: NDArray[np.float64]) -> None:
        """A herd gains what it ate, pays for the tick, loses who starves, and has children."""
        species, herd = self.species[kind], self.herds[kind]
        herd[ENERGY] += fed * species.gain - cost
        self.log.energy(self.tick, -1, species.food, fed.sum() * species.gain)
        self.log.energy(self.tick, -1, "upkeep", -cost.sum())
        self._bury(kind, np.flatnonzero(herd[ENERGY] < 0), "starved")
        self._breed(kind)

    def _bury(self, kind: int, dead: NDArray[np.int64], cause: str) -> None:
        if not len(dead):
            return
        herd = self.herds[kind]
        self.log.deaths(self.tick, self.time_gen, herd[ID, dead], cause)
        self.log.energy(self.tick, -1, "residual_at_death", -herd[ENERGY, dead].sum())
        self.herds[kind] = np.delete(herd, dead, axis=1)

    def _breed(self, kind: int) -> None:
        herd, rng = self.herds[kind], self.streams.numpy("breed")
        fertile = np.flatnonzero(rng.random(herd.shape[1]) < self.species[kind].fertility)
        if not len(fertile):
            return
        herd[ENERGY, fertile] /= 2
        children = bear(herd[:, fertile], self.tick, self.next_id, self.stride_drift, self.size, rng)
        if self.moves == "seek":
            children[[X, Y]] = herd[:, fertile][[X, Y]]  # Mesa's are born where their parent stands
        self.next_id += len(fertile)
        op = "mutate" if self.stride_drift else "clone"
        keys = self._keys(kind, children)
        self.log.births(
            self.tick, self.time_gen, children[ID], herd[ID, fertile], op=op, energy=children[ENERGY], **keys
        )
        self.herds[kind] = np.concatenate([herd, children], axis=1)

    # ---------------------------------------------------------------- recording

    def genotype(self, kind: int, stride: float) -> str | tuple[str, float]:
        """Key of what an animal hands on."""
        name = self.species[kind].name
        return (name, round(stride * _STRIDE_BINS) / _STRIDE_BINS) if self.stride_drift else name

    def _keys(self, kind: int, herd: Herd) -> dict[str, Any]:
        """Codes of genotype, phenotype and niche."""
        species = self.species[kind]
        if self.stride_drift and self.log.enabled:
            geno: Any = self.log.codes("geno", [self.genotype(kind, stride) for stride in herd[STRIDE].tolist()])
        else:
            geno = self.log.code("geno", species.name)
        return {
            "geno": geno,
            "pheno": self.log.code("pheno", species.name),
            "niche": self.log.code("niche", species.food),
        }

    def snapshot(self) -> None:
        """All animals, and the grass, to the log."""
        if not self.log.enabled:
            return
        everybody = np.concatenate(self.herds, axis=1)
        keys = [self._keys(kind, herd) for kind, herd in enumerate(self.herds)]
        sizes = [herd.shape[1] for herd in self.herds]
        codes = {
            what: np.concatenate([np.broadcast_to(key[what], n) for key, n in zip(keys, sizes, strict=True)])
            for what in ("geno", "pheno", "niche")
        }
        self.log.snapshot(
            self.tick,
            self.time_gen,
            everybody[ID],
            everybody[ENERGY],
            self.tick - everybody[BORN],
            everybody[GENERATION],
            traits={"stride": everybody[STRIDE]},
            **codes,
        )
        if self.grass:
            self.log.resources(self.tick, ["grass"], [self.grown().sum()])

    # ---------------------------------------------------------------- looking

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.width, self.height

    @property
    def time_gen(self) -> float:
        """Mean generation of the living, 0 when there are none."""
        n = sum(herd.shape[1] for herd in self.herds)
        return float(sum(herd[GENERATION].sum() for herd in self.herds) / max(n, 1))

    def grown(self) -> NDArray[np.bool_]:
        """``(cells,)`` where grass can be eaten; nowhere in a world without grass."""
        return (self.ripe <= self.tick) & self.grass

    def living(self) -> Iterator[tuple[type[Reflection], list[int], list[int]]]:
        """Sheep, then wolves."""
        for kind, agent in ((SHEEP, Sheep), (WOLVES, Wolf)):
            herd = self.herds[kind]
            yield agent, herd[ID].astype(int).tolist(), list(range(herd.shape[1]))

    def picture(self) -> dict[str, Any]:
        """Grass by cell; sheep are 0, wolves 1."""
        cells = [cells_of(herd, self.size) for herd in self.herds]
        y, x = np.divmod(np.concatenate(cells), self.width)
        return {
            "shape": self.size,
            "layers": {"grass": self.grown().reshape(self.height, self.width).T.astype(float)} if self.grass else {},
            "agents": {
                "x": x,
                "y": y,
                "energy": np.concatenate([herd[ENERGY] for herd in self.herds]),
                "colour": np.repeat([SHEEP, WOLVES], [len(part) for part in cells]),
            },
            "series": self.series(),
        }

    # ---------------------------------------------------------------- keeping

    def state_dict(self) -> dict[str, Any]:
        """The base's, with herds and grass."""
        state = super().state_dict() | {"next_id": self.next_id}
        state["arrays"] |= {"sheep": self.herds[SHEEP].copy(), "wolves": self.herds[WOLVES].copy()}
        state["arrays"] |= {"ripe": self.ripe.copy()}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        super().load_state_dict(state)
        arrays = state["arrays"]
        self.next_id = state["next_id"]
        self.herds, self.ripe = [arrays["sheep"].copy(), arrays["wolves"].copy()], arrays["ripe"].copy()

    @classmethod
    def reference(cls, *, quick: bool) -> list[Target]:
        """Coexistence with grass, collapse without; see `targets`."""
        from evolora_mesa.alife.wolf_sheep.targets import targets

        return targets(quick=quick)
