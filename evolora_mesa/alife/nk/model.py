"""A population of bit strings on an NK landscape: evolution whose optimum is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import mesa
import numpy as np

from evolora_mesa.alife.interface import Target, one_of, real, whole
from evolora_mesa.alife.log_schema import OPS
from evolora_mesa.alife.mirror import MirrorModel, Reflection
from evolora_mesa.alife.nk.agents import NKGenome
from evolora_mesa.alife.nk.breeding import mutated, shared, tournament
from evolora_mesa.alife.nk.landscape import Landscape
from evolora_mesa.alife.nk.treatments import TREATMENTS
from evolora_mesa.errors import ConfigError

__all__ = ["NKWorld"]

_DASH, _ZERO = ord("-"), ord("0")
_LARGEST_TABLE = 2**24  # contributions: 128 MiB


class NKWorld(MirrorModel):
    """Generations that do not overlap: every child has one parent, chosen by fitness, and is mutated.

    The baseline is that of Dolson et al. (2019, the MODES paper); `treatment` makes its variants.

    Args:
        rng: seed.
        record: keep the event log.
        sites: N, bits of a genome.
        epistasis: K < N, neighbours that a site depends on.
        population: genomes, the same number in every generation.
        mutation: chance in [0, 1] of each site to be set to a random bit.
        selection: "tournament"; "sharing": tournaments by fitness that is shared with similar genomes; "random".
        tournament: rivals for the place of a parent.
        period: generations after which the environment changes to the other one of two landscapes; 0 is never. A
            genotype's complexity then changes with it, so the log claims none; skeletons are always those of now.
        sharing_threshold: Hamming distance from which two genomes share nothing.
        sharing_alpha: exponent of the sharing function.
        snapshot_every: generations between two snapshots of everybody in the log.

    Attributes:
        genomes: ``[population, sites]`` uint8.
        fitness: ``[population]`` in the present environment.
        informative: ``[population, sites]`` bool: sites whose flip alone would lower fitness.
        ids: ``[population]``.
        codes: ``[population]`` each, of genotypes and of skeletons in the log, if there is one.
        landscapes: one, or two that take turns.

    Raises:
        ConfigError: an argument is of the wrong type or out of range, or they contradict each other.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"birth", "heredity", "death", "complexity"})

    def __init__(
        self,
        *,
        rng: int = 0,
        record: bool = True,
        sites: int = 20,
        epistasis: int = 3,
        population: int = 200,
        mutation: float = 0.05,
        selection: Literal["tournament", "sharing", "random"] = "tournament",
        tournament: int = 2,
        period: int = 0,
        sharing_threshold: float = 50.0,
        sharing_alpha: float = 1.0,
        snapshot_every: int = 10,
    ) -> None:
        super().__init__(rng=rng, record=record)
        self.sites = whole("sites", sites, low=1, high=10_000)
        self.epistasis = whole("epistasis", epistasis, low=0, high=self.sites - 1)
        if self.sites * 2 ** (self.epistasis + 1) > _LARGEST_TABLE:
            raise ConfigError(
                "the landscape is too large",
                where="sites and epistasis",
                expected=f"sites x 2 ** (epistasis + 1) up to {_LARGEST_TABLE}",
                got=(self.sites, self.epistasis),
                do="Lower epistasis.",
            )
        self.population = whole("population", population, low=2, high=10**6)
        self.mutation = real("mutation", mutation, low=0.0, high=1.0)
        self.selection = one_of("selection", selection, ("tournament", "sharing", "random"))
        self.rivals = whole("tournament", tournament, low=1, high=self.population)
        self.period = whole("period", period, low=0)
        self.sharing_threshold = real("sharing_threshold", sharing_threshold, low=1e-9, high=1e9)
        self.sharing_alpha = real("sharing_alpha", sharing_alpha, low=1e-9, high=1e3)
        self.snapshot_every = whole("snapshot_every", snapshot_every, low=1)
        draws = self.streams.numpy("landscapes")
        self.landscapes = [Landscape(self.sites, self.epistasis, draws) for _ in range(2 if self.period else 1)]
        founders = self.streams.numpy("founders").integers(0, 2, (self.population, self.sites), np.uint8)
        self._told = 0  # genotypes whose complexity is in the log
        self._settle(founders)
        if self.period:
            self.log.capabilities -= {"complexity"}
        if self.log.enabled:
            geno, pheno = self.codes = self._keys()
            self.log.births(0, 0.0, self.ids, op="init", geno=geno, pheno=pheno)
            self.snapshot()
        self.datacollector = mesa.DataCollector(model_reporters=_REPORTERS)
        self.datacollector.collect(self)

    @classmethod
    def treatment(cls, name: str, **settings: Any) -> NKWorld:
        """A world of the MODES paper by the name in `TREATMENTS`; ``settings`` come on top.

        Raises:
            ConfigError: there is no such treatment.
        """
        return cls(**{**TREATMENTS[one_of("treatment", name, tuple(TREATMENTS))], **settings})

    # ---------------------------------------------------------------- one generation

    def step(self) -> None:
        """Choose parents, copy them with mutations, let the environment change, replace everybody."""
        self.tick += 1
        parents = self._parents()
        before = self.genomes[parents]
        children = mutated(before, self.mutation, self.streams.numpy("mutation"))
        old, ancestors = self.ids, self.ids[parents]
        self._settle(children)
        if self.log.enabled:
            geno, pheno = self.codes = self._keys()
            op = np.where((children == before).all(axis=1), OPS.index("clone"), OPS.index("mutate"))
            self.log.births(self.tick, self.tick, self.ids, ancestors, op=op, geno=geno, pheno=pheno)
            self.log.deaths(self.tick, self.tick, old, cause="culled")
            if self.tick % self.snapshot_every == 0:
                self.snapshot()
        self.datacollector.collect(self)

    def _parents(self) -> np.ndarray:
        rng = self.streams.numpy("selection")
        if self.selection == "random":
            return rng.integers(0, self.population, self.population)
        fitness = self.fitness
        if self.selection == "sharing":
            fitness = shared(fitness, self.genomes, self.sharing_threshold, self.sharing_alpha)
        return tournament(fitness, self.rivals, rng)

    @property
    def landscape(self) -> Landscape:
        """The environment of this generation."""
        return self.landscapes[self.tick // self.period % 2 if self.period else 0]

    def _settle(self, genomes: np.ndarray) -> None:
        """These are the population from now on."""
        self.genomes = genomes
        self.ids = np.arange(self.population) + self.tick * self.population
        self.fitness, self.informative = self.landscape.fitness(genomes), self.landscape.informative(genomes)

    # ---------------------------------------------------------------- recording

    def _keys(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes of genotypes and skeletons, which are text to be read: ``0110`` and ``0-1-``."""
        text = self.genomes + np.uint8(_ZERO)
        geno = self.log.codes("geno", text)
        pheno = self.log.codes("pheno", np.where(self.informative, text, np.uint8(_DASH)))
        known, first = np.unique(geno, return_index=True)
        new = first[known >= self._told]
        if len(new) and not self.period:
            self.log.complexity(geno[new], self.informative[new].sum(axis=1))
            self._told = int(known[-1]) + 1
        return geno, pheno

    def snapshot(self) -> None:
        """The generation of now, to the log."""
        if not self.log.enabled:
            return
        geno, pheno = self.codes
        self.log.snapshot(
            self.tick,
            self.tick,
            self.ids,
            age=0,
            generation=self.tick,
            geno=geno,
            pheno=pheno,
            fitness=self.fitness,
            traits={"ones": self.genomes.mean(axis=1), "fitness": self.fitness},
        )

    # ---------------------------------------------------------------- looking

    def living(self) -> Iterator[tuple[type[Reflection], list[int], list[int]]]:
        """The generation of now."""
        yield NKGenome, self.ids.tolist(), list(range(self.population))

    def picture(self) -> dict[str, Any]:
        """Genomes side by side, the fittest first: bits, and which of them matter."""
        order = np.argsort(-self.fitness, kind="stable")
        return {
            "shape": (self.population, self.sites),
            "layers": {"bits": self.genomes[order], "informative": self.informative[order].astype(np.uint8)},
            "agents": {
                "x": np.arange(self.population),
                "y": self.informative[order].sum(axis=1),
                "energy": np.full(self.population, np.nan),
                "colour": self.fitness[order],
            },
            "series": self.series(),
        }

    # ---------------------------------------------------------------- keeping

    def state_dict(self) -> dict[str, Any]:
        """The base's, with the genomes; landscapes come from the seed."""
        state = super().state_dict() | {"told": self._told}
        state["arrays"] |= {"genomes": self.genomes.copy()}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        super().load_state_dict(state)
        self._told = state["told"]
        self._settle(state["arrays"]["genomes"].copy())
        if self.log.enabled:
            self.codes = self._keys()

    @classmethod
    def reference(cls, *, quick: bool) -> list[Target]:
        """Closed forms, and the MODES paper's figures; see `published`."""
        from evolora_mesa.alife.nk.published import targets

        return targets(quick=quick)


def best_fitness(model: NKWorld) -> float:
    """Of the fittest genome, in [0, 1]."""
    return float(model.fitness.max())


def mean_fitness(model: NKWorld) -> float:
    """Of everybody, in [0, 1]."""
    return float(model.fitness.mean())


def most_informative(model: NKWorld) -> int:
    """Largest number of informative sites."""
    return int(model.informative.sum(axis=1).max())


def mean_informative(model: NKWorld) -> float:
    """Mean number of informative sites."""
    return float(model.informative.sum(axis=1).mean())


_REPORTERS = {f.__name__: f for f in (best_fitness, mean_fitness, most_informative, mean_informative)}
