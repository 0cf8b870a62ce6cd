"""The quality-diversity archive: the best weights of every niche, whoever has them and whether or not he still lives.

MAP-Elites: J.-B. Mouret and J. Clune, "Illuminating search spaces by mapping elites" (2015). A niche is a task family,
a depth and a range of cost. Who is added, and who wins a tie, is as in the ``GridArchive.add`` of pyribs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from evolora_mesa.errors import AdapterError, ConfigError, RunError
from evolora_mesa.host import AdapterBank
from evolora_mesa.memory import GIB, free_memory

if TYPE_CHECKING:
    from ribs.archives import GridArchive

__all__ = ["IMPROVED", "NEW", "NOT_ADDED", "Archive", "Elite"]

NOT_ADDED: Final = 0
IMPROVED: Final = 1
NEW: Final = 2

# What is known of an elite beside weights and traits, each one number per niche.
_COLUMNS: Final = {
    "objective": np.float64,
    "cost": np.float64,
    "organelle": np.int64,
    "lineage": np.int64,
    "generation": np.int64,
}


@dataclass(frozen=True, eq=False)
class Elite:
    """The best of a niche.

    Attributes:
        niche: flat number, ``cell * bins + bin``.
        cell: flat number, ``family * depths + depth``.
        objective: success in the cell, in [0, 1].
        cost: mean tokens written per answer.
        organelle, lineage: unique id of the organelle whose weights these are, and of its founder.
        traits: ``[traits]``, a copy.
        generation: when the weights were kept.
    """

    niche: int
    cell: int
    objective: float
    cost: float
    organelle: int
    lineage: int
    traits: np.ndarray
    generation: int


class Archive:
    """One elite per (family, depth, cost bin), with its weights in the memory of the CPU.

    Args:
        bank: where organelles live; its sites, largest rank and dtype are the archive's.
        families, depths: of the grid of cells.
        cost_edges: ascending bounds between cost bins, in tokens per answer; a cost on a bound is in the dearer bin.

    Raises:
        ConfigError: no cell, or bounds that do not ascend.
        AdapterError: the weights of all niches need more memory than is free.
    """

    def __init__(self, bank: AdapterBank, families: int, depths: int, cost_edges: Sequence[float]) -> None:
        if families < 1 or depths < 1:
            raise ConfigError("an archive needs a cell", expected="a family and a depth", got=(families, depths))
        edges = np.asarray(cost_edges, dtype=np.float64)
        if not np.isfinite(edges).all() or any(high <= low for low, high in pairwise(edges.tolist())):
            raise ConfigError(
                "cost bounds do not ascend",
                where="archive.cost_edges",
                expected="ascending numbers",
                got=list(cost_edges),
            )
        self.bank, self.families, self.depths, self.cost_edges = bank, families, depths, edges
        self.bins = len(edges) + 1
        self.niches = families * depths * self.bins
        _check_memory(bank, self.niches)
        self._clear()

    def _clear(self) -> None:
        self._column = {name: np.zeros(self.niches, dtype) for name, dtype in _COLUMNS.items()}
        self._column["objective"][:] = -np.inf
        self._traits = np.zeros((self.niches, 0))
        self._weights: dict[str, torch.Tensor] = {}  # as `_bank_tensors`, [niches, ...]; empty until needed

    # ------------------------------------------------------------------ what is there

    @property
    def occupied(self) -> np.ndarray:
        """``[niches]`` bool: which niches have an elite."""
        return self._column["objective"] > -np.inf

    @property
    def coverage(self) -> float:
        """Share of niches that have an elite, in [0, 1]."""
        return float(self.occupied.mean())

    @property
    def qd_score(self) -> float:
        """Sum of the elites' objectives, in [0, niches]."""
        return float(self._column["objective"][self.occupied].sum())

    def elites(self) -> list[Elite]:
        """All elites, by ascending niche."""
        niches = np.flatnonzero(self.occupied)
        columns = {name: values[niches].tolist() for name, values in self._column.items()}
        return [
            Elite(niche, niche // self.bins, traits=self._traits[niche].copy(), **dict(zip(columns, row, strict=True)))
            for niche, row in zip(niches.tolist(), zip(*columns.values(), strict=True), strict=True)
        ]

    # ------------------------------------------------------------------ in and out

    def offer(
        self,
        cells: np.ndarray,
        costs: np.ndarray,
        objectives: np.ndarray,
        slots: np.ndarray,
        ids: np.ndarray,
        lineages: np.ndarray,
        traits: np.ndarray,
        generation: int,
    ) -> np.ndarray:
        """Keep a copy of each of n candidates that is better than the elite of its niche.

        An equal objective replaces nobody. Of several candidates for a niche the best is kept, of equals the first;
        the status of all of them refers to the archive as it was before.

        Args:
            cells: ``[n]`` flat cell numbers.
            costs: ``[n]`` mean tokens written per answer.
            objectives: ``[n]`` success in the cell, in [0, 1].
            slots: ``[n]`` bank slots of the weights; one may stand for several candidates.
            ids, lineages: ``[n]``.
            traits: ``[n, traits]``, as many at every offer.
            generation: of all of them.

        Returns:
            ``[n]`` `NOT_ADDED`, `IMPROVED` or `NEW`.

        Raises:
            ConfigError: lists of different lengths, or a number out of range.
            AdapterError: a slot is not allocated or holds NaN or infinity. Nothing is kept.
        """
        cells, costs, objectives = np.asarray(cells), np.asarray(costs, float), np.asarray(objectives, float)
        slots, traits = np.asarray(slots, np.int64), np.asarray(traits, float)
        self._check_offer(cells, costs, objectives, (slots, np.asarray(ids), np.asarray(lineages)), traits)
        self.bank.require(torch.from_numpy(slots), bare=False)
        niches = cells * self.bins + np.searchsorted(self.cost_edges, costs, side="right")
        better = objectives > self._column["objective"][niches]
        status = np.where(better, np.where(self.occupied[niches], IMPROVED, NEW), NOT_ADDED)
        rows = np.flatnonzero(better)
        if rows.size:
            order = rows[np.lexsort((-objectives[rows], niches[rows]))]  # stable: of equals the first stays first
            rows = order[np.unique(niches[order], return_index=True)[1]]
            self._keep(niches[rows], slots[rows])
            values = (objectives, costs, np.asarray(ids), np.asarray(lineages), np.full(len(cells), generation))
            for column, row in zip(self._column.values(), values, strict=True):
                column[niches[rows]] = row[rows]
            if not self._traits.shape[1]:
                self._traits = np.zeros((self.niches, traits.shape[1]))
            self._traits[niches[rows]] = traits[rows]
        return status

    def put_into(self, niches: np.ndarray, slots: torch.Tensor) -> None:
        """Write the weights and ranks of the elites of ``niches [n]`` into ``slots [n]``, allocated in the bank.

        Raises:
            ConfigError: a niche has no elite.
            AdapterError: lists of different lengths, or a slot that is not allocated or twice there.
        """
        niches = np.asarray(niches, np.int64)
        outside = (niches < 0) | (niches >= self.niches)
        if outside.any() or not self.occupied[niches].all():
            raise ConfigError("a niche has no elite", expected="occupied niches", got=niches.tolist())
        wanted = slots.tolist()
        if len(set(wanted)) < len(wanted) or len(wanted) != len(niches):
            raise AdapterError("elites need slots of their own", expected=f"{len(niches)} different slots", got=wanted)
        self.bank.require(slots, bare=False)
        if wanted:
            rows = torch.from_numpy(niches)
            for name, target in _bank_tensors(self.bank).items():
                target[slots] = self._weights[name][rows].to(target)

    def forget(self, cells: np.ndarray) -> np.ndarray:
        """Empty the niches of these flat ``cells [n]``, whose elites are no longer the best there; those emptied."""
        niches = (np.asarray(cells, np.int64)[:, None] * self.bins + np.arange(self.bins)).ravel()
        emptied = niches[self.occupied[niches]]
        self._column["objective"][emptied] = -np.inf
        return emptied

    def _keep(self, niches: np.ndarray, slots: np.ndarray) -> None:
        sources, rows = torch.from_numpy(slots), torch.from_numpy(niches)
        healthy = self.bank.finite(sources)
        if not bool(healthy.all()):
            raise AdapterError(
                "a candidate holds NaN or infinity", where="archive", got=slots[~healthy.numpy()].tolist()
            )
        tensors = _bank_tensors(self.bank)
        if not self._weights:
            self._weights = self._room()
        for name, source in tensors.items():
            self._weights[name][rows] = source[sources].detach().cpu()

    def _room(self) -> dict[str, torch.Tensor]:
        # Not zeroed: what has never been written is never read, and takes no memory either until it is written.
        return {
            name: torch.empty(self.niches, *source.shape[1:], dtype=source.dtype)
            for name, source in _bank_tensors(self.bank).items()
        }

    def _check_offer(
        self,
        cells: np.ndarray,
        costs: np.ndarray,
        objectives: np.ndarray,
        numbers: Sequence[np.ndarray],
        traits: np.ndarray,
    ) -> None:
        count = len(cells)
        shapes = [values.shape for values in (cells, costs, objectives, *numbers)]
        if any(shape != (count,) for shape in shapes) or traits.ndim != 2 or len(traits) != count:
            raise ConfigError(
                "candidates do not fit together", expected=f"{count} of each", got=[*shapes, traits.shape]
            )
        if self._traits.shape[1] not in (0, traits.shape[1]):
            raise ConfigError("other traits than before", expected=f"{self._traits.shape[1]}", got=traits.shape[1])
        for name, values, high in (
            ("cells", cells, self.families * self.depths - 1),
            ("costs", costs, np.finfo(float).max),
            ("objectives", objectives, 1.0),
        ):
            wrong = ~((values >= 0) & (values <= high))  # so that NaN is wrong too
            if wrong.any():
                raise ConfigError(
                    "no such candidate", where=name, expected=f"0 to {high:g}", got=values[wrong].tolist()
                )

    # ------------------------------------------------------------------ as data

    def state_dict(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """All elites: what is plain JSON, and the weights ``[elites, ...]`` by name. Both are copies."""
        niches = np.flatnonzero(self.occupied)
        plain: dict[str, Any] = {**self._geometry(), "niches": niches.tolist(), "traits": self._traits[niches].tolist()}
        plain |= {name: values[niches].tolist() for name, values in self._column.items()}
        return plain, {name: values[torch.from_numpy(niches)] for name, values in self._weights.items()}

    def load_state_dict(self, plain: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """The inverse of `state_dict`, exact.

        Raises:
            RunError: it is of an archive of another shape, or its parts do not fit together. Nothing is changed.
        """
        columns, traits = self._checked_state(plain, tensors)
        self._clear()
        niches = columns.pop("niches")
        for name, values in columns.items():
            self._column[name][niches] = values
        if len(niches):
            self._traits = np.zeros((self.niches, traits.shape[1]))
            self._traits[niches] = traits
            self._weights = self._room()
            for name, source in tensors.items():
                self._weights[name][torch.from_numpy(niches)] = source

    def _geometry(self) -> dict[str, Any]:
        return {"families": self.families, "depths": self.depths, "cost_edges": self.cost_edges.tolist()}

    def _checked_state(
        self, plain: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The columns, niches among them, and the traits ``[elites, traits]``."""
        geometry = {name: plain.get(name) for name in self._geometry()}
        if geometry != self._geometry():
            raise RunError("the state of another archive", expected=str(self._geometry()), got=geometry)
        try:
            columns = {name: np.array(plain[name], dtype) for name, dtype in {"niches": np.int64, **_COLUMNS}.items()}
            traits = np.array(plain["traits"], np.float64)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RunError("the state of an archive is broken", where="archive", got=str(error)) from error
        niches, objectives = columns["niches"], columns["objective"]
        count = niches.size
        ordered = count == 0 or (niches.min() >= 0 and niches.max() < self.niches and (np.diff(niches) > 0).all())
        if (
            {values.shape for values in columns.values()} != {(count,)}
            or not ordered
            or not ((objectives >= 0) & (objectives <= 1)).all()
            or (count and (traits.ndim != 2 or len(traits) != count))
        ):
            raise RunError("the state of an archive is broken", where="archive", expected="one row per elite")
        expected = {name: ((count, *like.shape[1:]), like.dtype) for name, like in _bank_tensors(self.bank).items()}
        found = {name: (tuple(values.shape), values.dtype) for name, values in tensors.items()}
        if found != expected and (count or found):  # one that never held an elite has no weights, not none of each
            raise RunError("the weights of an archive do not fit", where="archive", expected=str(expected), got=found)
        return columns, traits

    def to_pyribs(self) -> GridArchive:
        """The same archive for the tools of pyribs.

        Measures are the numbers of family, depth and cost bin. A solution is A and B of every site, flat, in the order
        of the sites and with their padding, as 32-bit floats; the rest of an elite is in fields of the same names.

        Raises:
            ConfigError: pyribs is not installed.
        """
        try:
            from ribs.archives import GridArchive
        except ImportError as error:
            raise ConfigError("the export needs pyribs", do="Install it: pip install ribs.") from error
        niches = np.flatnonzero(self.occupied)
        dims = (self.families, self.depths, self.bins)
        like = _bank_tensors(self.bank)
        ranks = like.pop("ranks")
        own = {name: np.dtype(dtype) for name, dtype in _COLUMNS.items() if name != "objective"}
        archive = GridArchive(
            solution_dim=sum(source[0].numel() for source in like.values()),
            dims=dims,
            ranges=[(-0.5, size - 0.5) for size in dims],
            qd_score_offset=0.0,  # objectives are never negative
            solution_dtype=np.float32,
            extra_fields={
                **{name: ((), dtype) for name, dtype in own.items()},
                "traits": ((self._traits.shape[1],), np.float64),
                "ranks": ((ranks.shape[1],), np.int64),
            },
        )
        if niches.size:
            rows = torch.from_numpy(niches)
            archive.add(
                torch.cat([self._weights[name][rows].flatten(1).float() for name in like], 1).numpy(),
                self._column["objective"][niches],
                np.stack(np.unravel_index(niches, dims), 1),
                **{name: self._column[name][niches] for name in own},
                traits=self._traits[niches],
                ranks=self._weights["ranks"][rows].numpy(),
            )
        return archive


def _bank_tensors(bank: AdapterBank) -> dict[str, torch.Tensor]:
    """All that makes an adapter, ``[capacity, ...]`` by name."""
    factors = {
        f"{kind}.{site.name}": by[site.name] for site in bank.sites for kind, by in (("a", bank.a), ("b", bank.b))
    }
    return {**factors, "ranks": bank.ranks}


def _check_memory(bank: AdapterBank, niches: int) -> None:
    free = free_memory()
    row = sum(source[0].numel() * source.dtype.itemsize for source in _bank_tensors(bank).values())
    if free is not None and niches * row > free:
        raise AdapterError(
            "the archive needs more memory than there is",
            where="archive.cost_edges, adapter.max_rank",
            expected=f"at most {free / GIB:.3g} GiB",
            got=f"{niches * row / GIB:.3g} GiB for {niches} niches",
            do="Lower adapter.max_rank, name fewer cost bounds or sites, or set archive.enabled to false.",
        )
