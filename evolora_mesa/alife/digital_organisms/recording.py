"""From the kernel's events to the event log."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms import layout
from evolora_mesa.alife.digital_organisms.tasks import TASKS
from evolora_mesa.alife.digital_organisms.world import BIRTH, DEATH, DIVISION, REWARD, Events
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

    def take(self, events: Events, tick: int, time_gen: float) -> None:
        """Log what happened since the last time: births before deaths, for a parent can die after its child's birth."""
        used, written, _ = events.counts.tolist()
        facts, amounts = events.facts[:used], events.amounts[:used]
        what = facts[:, 0]
        born, divided, died, paid = (what == kind for kind in (BIRTH, DIVISION, DEATH, REWARD))
        _, ids, parents, first, phenotypes, niches = facts[born].T
        if len(ids):
            ends = [*first[1:].tolist(), written]
            letters = (events.letters[:written] + np.int8(ord("a"))).tobytes().decode()
            genomes = (letters[begin:end] for begin, end in zip(first.tolist(), ends, strict=True))
            codes = self.log.codes("geno", genomes)
            self.genotypes.update(zip(ids.tolist(), codes.tolist(), strict=True))
            mothers = np.fromiter(map(self.genotypes.__getitem__, parents.tolist()), np.int64)
            self.log.births(
                tick,
                time_gen,
                ids,
                parents,
                op=np.where(codes == mothers, _CLONE, _MUTATE),
                geno=codes,
                pheno=self._phenotypes(phenotypes),
                niche=self._niches[niches],
                energy=amounts[born],
            )
        _, ids, phenotypes, niches, old_phenotypes, old_niches = facts[divided].T
        other = phenotypes != old_phenotypes
        self.log.changed(tick, ids[other], "pheno", self._phenotypes(phenotypes[other]))
        other = niches != old_niches
        self.log.changed(tick, ids[other], "niche", self._niches[niches[other]])
        ids, of_age = facts[died, 1], facts[died, 2]
        self.log.deaths(tick, time_gen, ids, cause=_CAUSES[of_age])
        for uid in ids.tolist():
            del self.genotypes[uid]
        self.log.evals(tick, facts[paid, 1], self._tasks[facts[paid, 2]], amounts[paid])
        for account, kind in (("endow_in", born), ("reward", divided), ("residual_at_death", died)):
            self.log.energy(tick, NONE, account, amounts[kind].sum())

    def snapshot(self, tick: int, time_gen: float, cpu: NDArray[np.int64], merit: NDArray[np.float64]) -> None:
        """Everybody.

        Args:
            cpu, merit: rows of the living, as in `Organisms`.
        """
        facts: dict[str, Any] = {
            "geno": np.fromiter(map(self.genotypes.__getitem__, cpu[:, layout.ID].tolist()), np.int64, len(cpu)),
            "pheno": self._phenotypes(cpu[:, layout.PHENOTYPE]),
            "niche": self._niches[cpu[:, layout.NICHE]],
            "age": tick - cpu[:, layout.BORN],
            "generation": cpu[:, layout.GENERATION],
            "energy": merit,
            "fitness": np.where(cpu[:, layout.GESTATION] > 0, merit / np.maximum(cpu[:, layout.GESTATION], 1), np.nan),
            "traits": {"length": cpu[:, layout.LENGTH]},
        }
        self.log.snapshot(tick, time_gen, cpu[:, layout.ID], **facts)

    def _phenotypes(self, masks: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.log.codes("pheno", masks)
