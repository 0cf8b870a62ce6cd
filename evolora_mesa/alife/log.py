"""The event log: who was born of whom, who died of what, what moved energy. The only thing that metrics read.

Columnar and append-only: every call adds a block of rows, so a tick with ten thousand births costs what one with ten
does. Genotypes, phenotypes and niches are whole numbers, which `EventLog.codes` makes of anything hashable.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evolora_mesa.alife.columns import Columns
from evolora_mesa.alife.log_schema import CAUSES, CHANGED, CODED, NONE, OPS, STREAMS
from evolora_mesa.errors import LogError

if TYPE_CHECKING:
    import pandas

__all__ = ["CAUSES", "NONE", "OPS", "EventLog"]

_WHOLE, _REAL = np.int64, np.float64
_OP_OF_PARENTS = np.array([OPS.index(op) for op in ("init", "clone", "merge")])  # by their number


class EventLog:
    """What happened in one run of one model.

    Args:
        capabilities: what the model has; a metric that needs more is n/a.
        run: facts about the run for people: model, parameters, seed; JSON-able.
        enabled: False drops everything but codes, for runs that nobody measures.

    Attributes:
        closed: the invariants hold and no more can be added. Metrics take nothing else.
        archived: ids that may be parents after their death, because an archive keeps them.
    """

    def __init__(
        self,
        capabilities: Iterable[str] = (),
        *,
        run: Mapping[str, Any] | None = None,
        enabled: bool = True,
    ) -> None:
        self.capabilities = frozenset(capabilities)
        self.run = dict(run or {})
        self.enabled = enabled
        self.closed = False
        self.archived: set[int] = set()
        self._events = 0
        self._tables = {name: Columns(kinds, open=name == "snapshots") for name, kinds in STREAMS.items()}
        self._keys: dict[str, dict[Hashable, int]] = {what: {} for what in CODED}

    # ---------------------------------------------------------------- codes

    def code(self, what: str, key: Hashable) -> int:
        """The number that stands for ``key`` among those of ``what`` (one of `CODED`); the same at every call."""
        keys = self._keys[what]
        return keys.setdefault(key, len(keys))

    def codes(self, what: str, keys: Iterable[Hashable] | NDArray) -> NDArray[np.int64]:
        """The numbers of many keys, ``(n,)``.

        Args:
            keys: hashables; or an array ``(n,)`` of plain values; or an array ``(n, sites)``, of which each row is a
                key, kept as its bytes.
        """
        if not isinstance(keys, np.ndarray):
            return np.fromiter((self.code(what, key) for key in keys), _WHOLE)
        if not len(keys):
            return np.empty(0, _WHOLE)
        if keys.ndim == 2:
            rows = np.ascontiguousarray(keys)
            keys = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
        different, place = np.unique(keys, return_inverse=True)
        return np.array([self.code(what, key) for key in different.tolist()], _WHOLE)[place.ravel()]

    def keys(self, what: str) -> list[Hashable]:
        """What the codes of ``what`` stand for: code n is the n-th."""
        return list(self._keys[what])

    # ---------------------------------------------------------------- what happens

    def births(
        self,
        step: int,
        time_gen: float,
        ids: ArrayLike,
        parents: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        op: str | Sequence[str] | NDArray | None = None,
        geno: ArrayLike = 0,
        pheno: ArrayLike = 0,
        niche: ArrayLike = NONE,
        energy: ArrayLike = np.nan,
    ) -> None:
        """Agents come into the world.

        Args:
            step: tick of the model; never falls.
            time_gen: time in generations: mean generation of the living, or births so far / population.
            ids: ``(n,)``, whole numbers that are used once.
            parents: ``(n,)`` or ``(n, most)``, -1 for none; not given: nobody has any.
            weights: shares of the parents in their child, shaped like ``parents``, of which each row sums to 1; not
                given: equal shares.
            op: how they came to be: one of `OPS`, or one each, or places in `OPS`; not given: init without parents,
                clone with one, merge with more.
            geno, pheno, niche: codes, one for all or one each; niche -1 when there is none.
            energy: at birth; nan when the model has none.
        """
        if not self._takes():
            return
        ids = np.atleast_1d(np.asarray(ids, _WHOLE))
        n = len(ids)
        given = np.empty((n, 0), _WHOLE) if parents is None else np.asarray(parents, _WHOLE)
        ancestors = given if given.ndim == 2 else given.reshape(n, 1)
        known = ancestors != NONE
        number = known.sum(axis=1)
        facts: dict[str, ArrayLike] = {
            "seq": self._next(n),
            "step": step,
            "time_gen": time_gen,
            "id": ids,
            "op": _OP_OF_PARENTS[np.minimum(number, 2)] if op is None else _places(op, OPS),
            "geno": geno,
            "pheno": pheno,
            "niche": niche,
            "energy": energy,
        }
        self._tables["births"].append(n, facts)
        if weights is None:
            shares = known / np.maximum(number, 1)[:, None]
        else:
            shares = np.asarray(weights, _REAL).reshape(ancestors.shape)
        child = np.broadcast_to(ids[:, None], known.shape)[known]
        links: dict[str, ArrayLike] = {"child": child, "parent": ancestors[known], "weight": shares[known]}
        self._tables["links"].append(len(child), links)

    def deaths(
        self, step: int, time_gen: float, ids: ArrayLike, cause: str | Sequence[str] | NDArray = "culled"
    ) -> None:
        """Agents leave the world; ``cause`` is one of `CAUSES`, or one each, or places in it."""
        if not self._takes():
            return
        ids = np.atleast_1d(np.asarray(ids, _WHOLE))
        facts: dict[str, ArrayLike] = {"step": step, "time_gen": time_gen, "id": ids, "cause": _places(cause, CAUSES)}
        self._tables["deaths"].append(len(ids), {"seq": self._next(len(ids)), **facts})

    def changed(self, step: int, ids: ArrayLike, what: str, codes: ArrayLike) -> None:
        """Living agents have another ``what`` (pheno or niche) from now on."""
        if not self._takes():
            return
        ids = np.atleast_1d(np.asarray(ids, _WHOLE))
        facts: dict[str, ArrayLike] = {"step": step, "id": ids, "what": CHANGED.index(what), "code": codes}
        self._tables["changes"].append(len(ids), {"seq": self._next(len(ids)), **facts})

    def energy(self, step: int, ids: ArrayLike, account: str, amount: ArrayLike) -> None:
        """Energy came to agents (> 0) or left them (< 0); id -1 is a sum over many of them.

        Every change of what the living hold belongs here: also what newborns bring, and what the dead take along.
        """
        if not self._takes():
            return
        ids = np.atleast_1d(np.asarray(ids, _WHOLE))
        facts: dict[str, ArrayLike] = {
            "step": step,
            "id": ids,
            "account": self.code("account", account),
            "amount": amount,
        }
        self._tables["energy"].append(len(ids), facts)

    def evals(
        self,
        step: int,
        ids: ArrayLike,
        task: ArrayLike,
        reward: ArrayLike,
        cost: ArrayLike = 0.0,
        success: ArrayLike = 1.0,
    ) -> None:
        """Agents tried tasks (codes), with what came of it; success in [0, 1]."""
        if not self._takes():
            return
        ids = np.atleast_1d(np.asarray(ids, _WHOLE))
        facts: dict[str, ArrayLike] = {
            "step": step,
            "id": ids,
            "task": task,
            "reward": reward,
            "cost": cost,
            "success": success,
        }
        self._tables["evals"].append(len(ids), facts)

    def snapshot(
        self,
        step: int,
        time_gen: float,
        ids: ArrayLike,
        energy: ArrayLike = np.nan,
        age: ArrayLike = np.nan,
        generation: ArrayLike = np.nan,
        geno: ArrayLike = 0,
        pheno: ArrayLike = 0,
        niche: ArrayLike = NONE,
        fitness: ArrayLike = np.nan,
        traits: Mapping[str, ArrayLike] | None = None,
        descriptor: ArrayLike | None = None,
    ) -> None:
        """Everybody who is alive now; one value for all, or one each.

        Args:
            traits: heritable numbers by name, ``(n,)``.
            descriptor: behaviour, ``(n, dimensions)`` in [0, 1].
        """
        if not self._takes():
            return
        ids = np.atleast_1d(np.asarray(ids, _WHOLE))
        table, n = self._tables["snapshots"], len(ids)
        facts: dict[str, ArrayLike] = {"step": step, "id": ids, "energy": energy, "age": age, "generation": generation}
        facts |= {"geno": geno, "pheno": pheno, "niche": niche, "fitness": fitness}
        facts |= {f"trait.{name}": values for name, values in (traits or {}).items()}
        if descriptor is not None:
            columns = np.asarray(descriptor, _REAL).reshape(n, -1).T
            facts |= {f"descriptor.{place}": column for place, column in enumerate(columns)}
        counts = {"events": self._events, "energy_rows": len(self._tables["energy"]), "first": len(table), "size": n}
        self._tables["marks"].append(1, {"step": step, "time_gen": time_gen, **counts})
        table.append(n, facts)

    def resources(
        self,
        step: int,
        names: Sequence[str],
        level: ArrayLike,
        inflow: ArrayLike = np.nan,
        outflow: ArrayLike = np.nan,
        consumed: ArrayLike = np.nan,
    ) -> None:
        """What the world offers: by name, what is there and what came, left and was eaten since the last time."""
        if not self._takes():
            return
        facts: dict[str, ArrayLike] = {"level": level, "inflow": inflow, "outflow": outflow, "consumed": consumed}
        self._tables["resources"].append(len(names), {"step": step, "resource": self.codes("resource", names), **facts})

    def complexity(self, geno: ArrayLike, value: ArrayLike) -> None:
        """Number of informative sites of genotypes: those whose single knock-out lowers fitness."""
        if self._takes():
            codes = np.atleast_1d(np.asarray(geno, _WHOLE))
            self._tables["complexities"].append(len(codes), {"geno": codes, "value": value})

    def archive(self, ids: Iterable[int]) -> None:
        """These may become parents after their death."""
        self.archived.update(map(int, ids))

    def _takes(self) -> bool:
        if self.closed:
            raise LogError("the log is closed", do="Add events before close(), or measure so_far().")
        return self.enabled

    def _next(self, n: int) -> NDArray[np.int64]:
        self._events += n
        return np.arange(self._events - n, self._events)

    # ---------------------------------------------------------------- reading

    def __len__(self) -> int:
        """Births, deaths and changes."""
        return self._events

    def stream(self, name: str) -> Columns:
        """A stream of `STREAMS`; its columns are views."""
        return self._tables[name]

    def frame(self, name: str) -> pandas.DataFrame:
        """A stream as a table for people: what is a code of `OPS`, `CAUSES` or a name becomes that name."""
        import pandas

        frame = pandas.DataFrame(self._tables[name].arrays())
        words: dict[str, Sequence[Any]] = {"op": OPS, "cause": CAUSES, "what": CHANGED}
        words |= {what: self.keys(what) for what in ("account", "task", "resource")}
        for column in frame.columns.intersection(list(words)):
            known = dict(enumerate(words[column]))
            frame[column] = [known.get(code, code) for code in frame[column].tolist()]
        return frame

    def close(self) -> EventLog:
        """Hold the log against the invariants; from now on it can be measured, and nothing added.

        Raises:
            LogError: the log does not conserve agents or energy, or an agent has parents that it cannot have.
        """
        from evolora_mesa.alife.invariants import check

        if not self.closed:
            check(self)
            self.closed = True
        return self

    def so_far(self) -> EventLog:
        """A closed log of what has happened until now; this one goes on.

        Raises:
            LogError: as for `close`.
        """
        other = EventLog(self.capabilities, run=self.run)
        other._events, other.archived = self._events, set(self.archived)
        other._tables = {name: table.frozen() for name, table in self._tables.items()}
        other._keys = {what: dict(keys) for what, keys in self._keys.items()}
        return other.close()

    # ---------------------------------------------------------------- keeping

    def state_dict(self) -> dict[str, Any]:
        """Everything, as JSON-able values and, under ``arrays``, numpy arrays by ``STREAM/COLUMN``."""
        from evolora_mesa.alife.log_files import state_of

        return state_of(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken: ``seq`` goes on without a gap."""
        from evolora_mesa.alife.log_files import restore

        restore(self, state)

    def save(self, folder: Path | str) -> Path:
        """Write ``log.json``, ``log.npz`` and ``phylogeny.csv`` into ``folder``.

        Raises:
            LogError: the folder cannot be written.
        """
        from evolora_mesa.alife.log_files import save

        return save(self, Path(folder))

    @classmethod
    def load(cls, folder: Path | str) -> EventLog:
        """Read what `save` wrote; a log that was closed is checked again.

        Raises:
            LogError: the files cannot be read, are of another form, or break an invariant.
        """
        from evolora_mesa.alife.log_files import load

        return load(Path(folder))


def _places(names: str | Sequence[str] | NDArray, known: tuple[str, ...]) -> NDArray[np.int64] | int:
    """Places of names in ``known``; whole numbers are places already."""
    try:
        if isinstance(names, str):
            return known.index(names)
        array = np.asarray(names)
        if np.issubdtype(array.dtype, np.integer):
            return array.astype(_WHOLE)
        return np.array([known.index(name) for name in array.tolist()], _WHOLE)
    except ValueError as error:
        raise LogError("no such kind of event", expected=f"one of {', '.join(known)}", got=names) from error
