"""What a world of hosts and symbionts writes into the event log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from evolora_mesa.alife.host_symbiont.agents import KINDS, PHENOTYPES, bin_names, genotypes, phenotypes
from evolora_mesa.alife.host_symbiont.interaction import GENERATION, HOST, ID, POINTS, SYMBIONT, VALUE
from evolora_mesa.alife.host_symbiont.update import Update
from evolora_mesa.alife.log_schema import OPS

if TYPE_CHECKING:
    from evolora_mesa.alife.host_symbiont.model import HostSymbiont

__all__ = ["Chronicle"]


class Chronicle:
    """Hosts and symbionts are two kinds of agents in one log; energy is theirs together.

    Args:
        model: whose log is written.
    """

    def __init__(self, model: HostSymbiont) -> None:
        self._model, self._log = model, model.log
        self._geno = [model.log.codes("geno", bin_names(kind)) for kind in KINDS]
        self._pheno = [model.log.codes("pheno", names) for names in PHENOTYPES]
        self._niche = [model.log.code("niche", kind) for kind in KINDS]

    def founders(self) -> None:
        """Everybody who is there in the beginning."""
        for kind in (HOST, SYMBIONT):
            rows = self._model.tenants[kind][:, self._model.alive(kind)]
            self._log.births(0, 0.0, rows[ID], op="init", energy=0.0, **self._keys(kind, rows[VALUE]))

    def record(self, done: Update) -> None:
        """Births before deaths, for a host can die in the update in which its child was born."""
        if not self._log.enabled:
            return
        step, now = self._model.tick, self._model.turnovers
        for kind, births in enumerate(done.born):
            if not len(births.parents):
                continue
            op = np.where(births.mutated, OPS.index("mutate"), OPS.index("clone"))
            keys = self._keys(kind, births.rows[VALUE])
            self._log.births(step, now, births.rows[ID], births.parents, op=op, energy=0.0, **keys)
        for rows in done.dead:
            self._log.deaths(step, now, rows[ID], cause="overwritten")
        self._log.energy(step, -1, "meal", done.gains.sum())
        self._log.energy(step, -1, "offspring", -done.paid.sum())
        self._log.energy(step, -1, "residual_at_death", -sum(rows[POINTS].sum() for rows in done.dead))

    def snapshot(self) -> None:
        """Everybody who is alive now."""
        if not self._log.enabled:
            return
        model = self._model
        alive = [model.alive(kind) for kind in (HOST, SYMBIONT)]
        rows = [model.tenants[kind][:, alive[kind]] for kind in (HOST, SYMBIONT)]
        ages = [model.tick - model.born[kind, alive[kind]] for kind in (HOST, SYMBIONT)]
        keys = [self._keys(kind, rows[kind][VALUE]) for kind in (HOST, SYMBIONT)]
        both = np.concatenate(rows, axis=1)
        self._log.snapshot(
            model.tick,
            model.turnovers,
            both[ID],
            energy=both[POINTS],
            age=np.concatenate(ages),
            generation=both[GENERATION],
            geno=np.concatenate([known["geno"] for known in keys]),
            pheno=np.concatenate([known["pheno"] for known in keys]),
            niche=np.repeat(self._niche, [len(age) for age in ages]),
            traits={"value": both[VALUE]},
        )

    def _keys(self, kind: int, values: np.ndarray) -> dict[str, Any]:
        """Codes of genotype, phenotype and niche."""
        return {
            "geno": self._geno[kind][genotypes(values)],
            "pheno": self._pheno[kind][phenotypes(values)],
            "niche": self._niche[kind],
        }
