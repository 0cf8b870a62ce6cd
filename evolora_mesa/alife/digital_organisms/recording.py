"""From the kernel's events to the event log."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms import layout
from evolora_mesa.alife.digital_organisms.genome import letters
from evolora_mesa.alife.digital_organisms.gestation import informative_sites
from evolora_mesa.alife.digital_organisms.layout import Organisms
from evolora_mesa.alife.digital_organisms.tasks import TASKS
from evolora_mesa.alife.digital_organisms.world import BIRTH, DEATH, DIVISION, REWARD, USED, WRITTEN, Events
from evolora_mesa.alife.log import CAUSES, NONE, OPS, EventLog

__all__ = ["Recorder"]

_CAUSES: Final = np.array([CAUSES.index("overwritten"), CAUSES.index("age")])
_CLONE, _MUTATE = OPS.index("clone"), OPS.index("mutate")


class Recorder:
    """Keeps the genotypes of the living at hand, by id, for births are told from mutations by them.

    Args:
        log: where everything goes.
    """

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.genotypes: dict[int, int] = {}
        self._niches = np.array([*(log.code("niche", task) for task in TASKS), NONE])  # place -1 is nowhere
        self._tasks = np.array([log.code("task", task) for task in TASKS])

    def found(self, uid: int, genome: str, merit: float) -> None:
        """The ancestor."""
        code = self.genotypes[uid] = self.log.code("geno", genome)
        self.log.births(0, 0.0, uid, op="init", geno=code, pheno=self._phenotypes(np.zeros(1, int)), energy=merit)

    def remember(self, organisms: Organisms) -> None:
        """Take up a run: the living are those of ``organisms``, and the log knows their genomes."""
        self.genotypes = {}
        for row in np.flatnonzero(organisms.cpu[:, layout.ID] >= 0).tolist():
            uid, length = organisms.cpu[row, [layout.ID, layout.LENGTH]].tolist()
            self.genotypes[uid] = self.log.code("geno", letters(organisms.genome[row, :length]))

    def take(self, events: Events, tick: int, time_gen: float) -> None:
        """Log what happened since the last time: births before deaths, for a parent can die after its child's birth."""
        used = int(events.counts[USED])
        facts, amounts = events.facts[:used], events.amounts[:used]
        born, divided, died, paid = (facts[:, 0] == kind for kind in (BIRTH, DIVISION, DEATH, REWARD))
        if born.any():
            self._births(events, facts[born], amounts[born], tick, time_gen)
        _, ids, phenotypes, niches, old_phenotypes, old_niches = facts[divided].T
        other = phenotypes != old_phenotypes
        self.log.changed(tick, ids[other], "pheno", self._phenotypes(phenotypes[other]))
        other = niches != old_niches
        self.log.changed(tick, ids[other], "niche", self._niches[niches[other]])
        _, ids, of_age, *_ = facts[died].T
        self.log.deaths(tick, time_gen, ids, cause=_CAUSES[of_age])
        for uid in ids.tolist():
            del self.genotypes[uid]
        _, ids, tasks, *_ = facts[paid].T
        self.log.evals(tick, ids, self._tasks[tasks], amounts[paid])
        for account, kind in (("endow_in", born), ("reward", divided), ("residual_at_death", died)):
            self.log.energy(tick, NONE, account, amounts[kind].sum())

    def _births(
        self, events: Events, facts: NDArray[np.int64], merits: NDArray[np.float64], tick: int, time_gen: float
    ) -> None:
        _, ids, parents, first, phenotypes, niches = facts.T
        written = int(events.counts[WRITTEN])
        text = letters(events.letters[:written])
        ends = [*first[1:].tolist(), written]
        codes = self.log.codes("geno", (text[begin:end] for begin, end in zip(first.tolist(), ends, strict=True)))
        self.genotypes.update(zip(ids.tolist(), codes.tolist(), strict=True))
        inherited = np.fromiter(map(self.genotypes.__getitem__, parents.tolist()), np.int64, len(ids))
        self.log.births(
            tick,
            time_gen,
            ids,
            parents,
            op=np.where(codes == inherited, _CLONE, _MUTATE),
            geno=codes,
            pheno=self._phenotypes(phenotypes),
            niche=self._niches[niches],
            energy=merits,
        )

    def snapshot(self, tick: int, time_gen: float, organisms: Organisms, rows: NDArray[np.int64]) -> None:
        """Everybody, and the complexity of the genotype that most of them have.

        Args:
            rows: of the living.
        """
        cpu, merit = organisms.cpu[rows], organisms.merit[rows]
        genotypes = np.fromiter(map(self.genotypes.__getitem__, cpu[:, layout.ID].tolist()), np.int64, len(rows))
        facts: dict[str, Any] = {
            "geno": genotypes,
            "pheno": self._phenotypes(cpu[:, layout.PHENOTYPE]),
            "niche": self._niches[cpu[:, layout.NICHE]],
            "age": tick - cpu[:, layout.BORN],
            "generation": cpu[:, layout.GENERATION],
            "energy": merit,
            "fitness": np.where(cpu[:, layout.GESTATION] > 0, merit / np.maximum(cpu[:, layout.GESTATION], 1), np.nan),
            "traits": {"length": cpu[:, layout.LENGTH]},
        }
        self.log.snapshot(tick, time_gen, cpu[:, layout.ID], **facts)
        if len(rows):
            different, first, count = np.unique(genotypes, return_index=True, return_counts=True)
            common = int(np.argmax(count))
            row, code = rows[first[common]], different[common]
            if code not in self.log.stream("complexities")["geno"]:
                genome = organisms.genome[row, : organisms.cpu[row, layout.LENGTH]]
                self.log.complexity(code, informative_sites(letters(genome)))

    def _phenotypes(self, masks: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.log.codes("pheno", masks)
