"""A picture of an ecology: everything that is drawn of it, immutable, so that drawing never races with living.

The world's own thread takes one at the end of every generation, on top of the one before; whoever draws reads nothing
but pictures. A picture can as well be put together from the record of a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evolora_mesa.tasks.grid import LAYERS
from evolora_mesa.view.chronicle import Happening, happenings
from evolora_mesa.view.course import Course
from evolora_mesa.view.frozen import frozen_success
from evolora_mesa.view.notebook import Notebook

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Niches", "Organelles", "Picture", "TrialView", "read_trials", "take_picture"]

_MOST_EVENTS: Final = 200
_MOST_VERDICTS: Final = 40
NOBODY: Final = -1  # no colony, no skill yet


@dataclass(frozen=True, eq=False)
class Organelles:
    """Everybody alive, oldest first; all columns ``[organelles]``.

    Attributes:
        colony: number; -1 for none.
        skill: number of the family with most of the latest successes; -1 before the first.
        family, depth: coordinate of the cell, from 0.
        energy: owned.
        roi: energy earned / spent in this generation.
        age: in generations.
    """

    id: np.ndarray
    lineage: np.ndarray
    colony: np.ndarray
    skill: np.ndarray
    family: np.ndarray
    depth: np.ndarray
    energy: np.ndarray
    roi: np.ndarray
    age: np.ndarray
    on_trial: np.ndarray

    def __len__(self) -> int:
        return len(self.id)

    def place(self, id: int | None) -> int | None:
        """Row of an organelle; `None` when it does not live."""
        found = np.flatnonzero(self.id == (NOBODY if id is None else id))
        return int(found[0]) if found.size else None


class TrialView(NamedTuple):
    """A trial at the gate, open or ended.

    Attributes:
        child: organelle id.
        kind, operator: how it came about.
        parents: ids.
        prompts: asked on the parents' cells so far.
        uplift, low, high: gain over the better parent, with bounds that hold at any time, in [-1, 1].
        path: generation and log e-value, one pair per generation; the last is the latest.
        verdict, reason: ``deferred`` while it is open.
        energy: paid for it so far.
    """

    child: int
    kind: str
    operator: str
    parents: tuple[int, ...]
    prompts: int = 0
    uplift: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    path: tuple[tuple[int, float], ...] = ()
    verdict: str = "deferred"
    reason: str = "low_power"
    energy: float = 0.0

    @property
    def generation(self) -> int:
        """Of the latest look."""
        return self.path[-1][0] if self.path else 0

    @property
    def log_e(self) -> float:
        """The latest logarithm of the e-value."""
        return self.path[-1][1] if self.path else 0.0


@dataclass(frozen=True, eq=False)
class Niches:
    """The archive's elites, by ascending niche; all columns ``[elites]``.

    Attributes:
        cost_edges: ascending bounds between cost bins, in tokens per answer.
        family, depth, bin: coordinate, from 0.
        objective: success in the cell, in [0, 1].
        organelle: whose weights they are.
        generation: when they were kept; `None` where the record does not say.
    """

    cost_edges: np.ndarray
    family: np.ndarray
    depth: np.ndarray
    bin: np.ndarray
    objective: np.ndarray
    organelle: np.ndarray
    generation: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    """The world after generation ``tick``.

    Attributes:
        layers: by name, ``[families, depths]``: those of the grid, and ``open`` (bool), ``frozen`` (success of the
            frozen host alone, nan where unknown).
        series: all reporters, and ``frozen_host``, its success on the same mix of cells.
        events: latest news, oldest first.
        trials: open ones, oldest first.
        verdicts: latest, oldest first.
        archive: `None` where there is none.
        alpha: of the gate: a child passes when its e-value reaches 1 / alpha.
        note: why the world has ended; empty while it goes on.
    """

    tick: int
    families: tuple[str, ...]
    depths: int
    layers: Mapping[str, np.ndarray]
    organelles: Organelles
    series: Course
    events: tuple[Happening, ...] = ()
    trials: tuple[TrialView, ...] = ()
    verdicts: tuple[TrialView, ...] = ()
    archive: Niches | None = None
    alpha: float = 0.05
    note: str = ""

    def cell_name(self, family: int, depth: int) -> str:
        """As people read it; ``depth`` from 0."""
        return f"{self.families[family]}, depth {depth + 1}"


def take_picture(model: EcologyModel, previous: Picture | None = None) -> Picture:
    """The world as it is now.

    Args:
        previous: the picture before, whose courses are continued; at best the one of the generation before.
    """
    if previous is not None and previous.tick >= model.tick:
        previous = None  # another world, or one that was set back
    Notebook.of(model).turn(model)
    frozen = frozen_success(model, ask=model.tick > 0)
    since = previous.tick if previous is not None else -1
    trials, verdicts = _trials(model, previous, since)
    events = (*(previous.events if previous is not None else ()), *happenings(model.tick, model.events))
    layers = {name: model.grid.layer(name).copy() for name in LAYERS}
    return Picture(
        tick=model.tick,
        families=model.grid.families,
        depths=model.grid.depths,
        layers={**layers, "open": model.open.copy(), "frozen": frozen},
        organelles=_organelles(model),
        series=_series(model, previous, frozen),
        events=events[-_MOST_EVENTS:],
        trials=trials,
        verdicts=verdicts,
        archive=_niches(model),
        alpha=model.config.gate.alpha,
        note="" if len(model.agents) else f"extinct since generation {model.tick}: nobody is left alive",
    )


def _organelles(model: EcologyModel) -> Organelles:
    alive = model.organelles()
    colony = {member: team.number for team in model.colonies.founded for member in team.members}

    def whole(values: Iterator[int]) -> np.ndarray:
        return np.fromiter(values, np.int64, len(alive))

    shape = (len(alive), len(model.grid.families), model.grid.depths)
    wins = model.history.wins[whole(o.slot for o in alive)].reshape(shape).sum(2)
    return Organelles(
        id=whole(o.unique_id for o in alive),
        lineage=whole(o.lineage for o in alive),
        colony=whole(colony.get(o.unique_id, NOBODY) for o in alive),
        skill=np.where(wins.any(1), wins.argmax(1), NOBODY),
        family=whole(o.cell.coordinate[0] for o in alive),
        depth=whole(o.cell.coordinate[1] for o in alive),
        energy=model.ledger.balance(whole(o.account for o in alive)),
        roi=np.array([o.roi for o in alive]),
        age=whole(o.age for o in alive),
        on_trial=np.array([o.on_trial for o in alive], dtype=bool),
    )


def _series(model: EcologyModel, previous: Picture | None, frozen: np.ndarray) -> Course:
    """The course so far; what the frozen host would have achieved is known of this generation only."""
    columns = model.datacollector.model_vars
    new = len(columns["generation"]) if previous is None else model.tick - previous.tick
    figures = {name: values[-new:] for name, values in columns.items()}
    beside = np.full(len(figures["generation"]), np.nan)
    if model.last_work is not None and model.last_work.workload.cells.size:
        beside[-1] = frozen.ravel()[model.last_work.workload.cells].mean()  # nan until all of these are measured
    figures["frozen_host"] = beside
    return Course.of(figures) if previous is None else previous.series.extended(figures)


def _niches(model: EcologyModel) -> Niches | None:
    if model.archive is None:
        return None
    elites = model.archive.elites()
    niche, cell, organelle, generation = (
        np.array([(elite.niche, elite.cell, elite.organelle, elite.generation) for elite in elites], dtype=np.int64)
        .reshape(-1, 4)
        .T
    )
    return Niches(
        cost_edges=model.archive.cost_edges.copy(),
        family=cell // model.grid.depths,
        depth=cell % model.grid.depths,
        bin=niche % model.archive.bins,
        objective=np.array([elite.objective for elite in elites]),
        organelle=organelle,
        generation=generation,
    )


# ---------------------------------------------------------------- trials


def _trials(
    model: EcologyModel, previous: Picture | None, since: int
) -> tuple[tuple[TrialView, ...], tuple[TrialView, ...]]:
    """Open trials and latest verdicts, from the table of the gate, which also has the generations between pictures."""
    table = model.datacollector.tables["gates"]
    first = len(table["generation"])
    while first and table["generation"][first - 1] > since:
        first -= 1
    rows = zip(*(values[first:] for values in table.values()), strict=True)
    before = (previous.trials, previous.verdicts) if previous is not None else ((), ())
    opened, ended = read_trials((dict(zip(table, row, strict=True)) for row in rows), *before)
    known = {trial.child: trial for trial in opened}
    still_open = tuple(
        known.get(trial.child)
        or TrialView(trial.child, trial.kind, trial.operator, trial.parents, path=((trial.born, 0.0),))
        for trial in model.gatehouse.trials
    )
    return still_open, ended


def read_trials(
    rows: Iterator[Mapping[str, Any]],
    trials: tuple[TrialView, ...] = (),
    verdicts: tuple[TrialView, ...] = (),
) -> tuple[tuple[TrialView, ...], tuple[TrialView, ...]]:
    """Trials and verdicts after further rows of the table ``gates``; refusals open no trial.

    Args:
        rows: by column, oldest first.
        trials, verdicts: as they were before.
    """
    opened = {trial.child: trial for trial in trials}
    ended = list(verdicts)
    for row in rows:
        if row["verdict"] == "refused":
            continue
        path = opened[row["child"]].path if row["child"] in opened else ()
        trial = TrialView(
            child=row["child"],
            kind=row["kind"],
            operator=row["operator"],
            parents=tuple(map(int, str(row["parents"]).split())),
            path=(*path, (row["generation"], row["log_e"])),
            **{name: row[name] for name in ("prompts", "uplift", "low", "high", "verdict", "reason", "energy")},
        )
        if trial.verdict == "deferred":
            opened[trial.child] = trial
        else:
            opened.pop(trial.child, None)
            ended.append(trial)
    return tuple(opened.values()), tuple(ended[-_MOST_VERDICTS:])
