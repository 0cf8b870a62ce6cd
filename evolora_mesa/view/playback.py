"""A run on record as pictures: the drawings of a living world show any generation of one that was written down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from evolora_mesa.record.layout import STORE_FILE
from evolora_mesa.record.report.reading import read_frame
from evolora_mesa.record.store import RunStore
from evolora_mesa.view.chronicle import Happening, happenings
from evolora_mesa.view.course import Course
from evolora_mesa.view.picture import NOBODY, Niches, Organelles, Picture, TrialView, read_trials

__all__ = ["Recording", "read_recording"]

_LAYERS: Final = ("price", "pool", "success", "learning_progress", "occupancy")
_MOST_EVENTS: Final = 200
_TRIALS: Final = 200  # generations: no trial is open for longer
_RECENT: Final = 16  # generations whose successes say what somebody is good at
_UNTOLD: Final = ("moved", "learned", "adapted", "read", "routed", "policy", "kept", "posted", "elite", "judged")
_COLONY: Final = ("colony_founded", "colony_joined", "colony_left", "colony_dissolved")
_COMING: Final = ("families_left", "families_came")
_REALS: Final = ("uplift", "low", "high", "log_e", "energy")  # of a trial; nan where they are not known
_NAN: Final = float("nan")
_PICTURES: Final = 64  # kept, for a slider that goes to and fro


@dataclass(frozen=True, eq=False)
class Recording:
    """A run as far as it was on record when it was read; nothing in it changes, and no file stays open.

    Attributes:
        folder: of the run.
        name: world and seed.
        families: names of the grid's rows.
        depths: columns of the grid.
        last: generation up to which everything is known.
        figures: by model reporter, ``[last + 1]``; nan where there was none.
        settings: by dotted name, as they stand there.
    """

    folder: Path
    name: str
    families: tuple[str, ...]
    depths: int
    last: int
    figures: Mapping[str, np.ndarray]
    settings: Mapping[str, Any]

    @lru_cache(maxsize=_PICTURES)  # noqa: B019 - few, and they leave by age
    def picture(self, generation: int) -> Picture:
        """The world after ``generation``, which is brought into the range of the record.

        Raises:
            RunError: the store cannot be read any more.
        """
        at = min(max(generation, 0), self.last)
        with RunStore.open(self.folder / STORE_FILE) as store, store.snapshot():
            organelles = _organelles(store, at, len(self.families))
            trials, verdicts = _trials(store, at, organelles)
            return Picture(
                tick=at,
                families=self.families,
                depths=self.depths,
                layers={**_layers(store, at, self._shape), "open": _open(store, at, self._shape, self.families)},
                organelles=organelles,
                series=Course.of({name: values[: at + 1] for name, values in self.figures.items()}),
                events=_events(store, at),
                trials=trials,
                verdicts=verdicts,
                archive=_niches(store, at, self._edges, self.depths),
                alpha=float(self.settings.get("gate.alpha", Picture.alpha)),
                note=self._note(at),
            )

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.families), self.depths

    @property
    def _edges(self) -> np.ndarray | None:
        """Bounds between the cost bins of the archive; `None` without one."""
        if not self.settings.get("archive.enabled", True):
            return None
        return np.array(self.settings.get("archive.cost_edges") or (), dtype=float)

    def _note(self, at: int) -> str:
        return f"extinct since generation {at}: nobody is left alive" if self.figures["population"][at] == 0 else ""


def read_recording(folder: Path, before: Recording | None = None) -> Recording:
    """A run as it is on record now, also while it is written; ``before`` itself where nothing has come since.

    Raises:
        RunError: there is no store, it cannot be read, or no generation is in it yet.
    """
    with RunStore.open(folder / STORE_FILE) as store, store.snapshot():
        store.refresh()
        if before is not None and before.folder == folder and before.last == store.generation:
            return before
        frame = read_frame(store)
        return Recording(
            folder, frame.name, frame.families, frame.depths, store.generation, frame.figures, frame.settings
        )


# ---------------------------------------------------------------- the parts of a picture


def _layers(store: RunStore, at: int, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    layers = {name: np.full(shape, np.nan) for name in _LAYERS}
    query = f"SELECT family, depth, {', '.join(_LAYERS)} FROM cells WHERE generation = ?"
    for family, depth, *values in store.rows(query, (at,)):
        for name, value in zip(_LAYERS, values, strict=True):
            layers[name][family, depth] = np.nan if value is None else value
    layers["occupancy"] = np.nan_to_num(layers["occupancy"])
    return {**layers, "frozen": np.full(shape, np.nan)}


def _open(store: RunStore, at: int, shape: tuple[int, int], families: tuple[str, ...]) -> np.ndarray:
    """Families that are asked, from the events by which they left and came."""
    open_cells = np.ones(shape, dtype=bool)
    for _, kind, _, facts in _told(store, _COMING, 0, at):
        for name in facts.get("families", ()):
            if name in families:
                open_cells[families.index(name)] = kind == "families_came"
    return open_cells


def _organelles(store: RunStore, at: int, families: int) -> Organelles:
    names = ("id", "lineage", "family", "depth", "energy", "roi", "age", "on_trial")
    rows = list(store.rows(f"SELECT {', '.join(names)} FROM organelles WHERE generation = ? ORDER BY id", (at,)))
    columns = dict(zip(names, np.array(rows, dtype=float).reshape(len(rows), len(names)).T, strict=True))
    who = [int(row[0]) for row in rows]
    whole = {name: columns[name].astype(np.int64) for name in ("id", "lineage", "family", "depth", "age")}
    colony, skill = _colonies(store, at), _skills(store, at, families)
    return Organelles(
        **whole,
        energy=columns["energy"],
        roi=columns["roi"],
        on_trial=columns["on_trial"].astype(bool),
        colony=np.array([colony.get(id, NOBODY) for id in who], dtype=np.int64),
        skill=np.array([skill.get(id, NOBODY) for id in who], dtype=np.int64),
    )


def _colonies(store: RunStore, at: int) -> dict[int, int]:
    """Number of the colony by member."""
    members: dict[int, tuple[int, ...]] = {}
    for _, kind, _, facts in _told(store, _COLONY, 0, at):
        number = int(facts.get("colony", 0))
        if kind == "colony_dissolved":
            members.pop(number, None)
        else:
            members[number] = tuple(facts.get("members", ()))
    return {member: number for number, team in members.items() for member in team}


def _skills(store: RunStore, at: int, families: int) -> dict[int, int]:
    """The family of most successes of late, by organelle; nothing where episodes were not recorded."""
    query = (
        "SELECT organelle, family, SUM(success) FROM episodes WHERE generation BETWEEN ? AND ? GROUP BY 1, 2 "
        "HAVING SUM(success) > 0 ORDER BY 1, 3, 2 DESC"
    )
    return {who: family for who, family, _ in store.rows(query, (max(at - _RECENT, 0) + 1, at))}


def _trials(store: RunStore, at: int, organelles: Organelles) -> tuple[tuple[TrialView, ...], tuple[TrialView, ...]]:
    """Trials that are open and latest verdicts. A trial begins with a birth, and is looked at from then on."""
    first, names = max(at - _TRIALS, 0), store.columns("gates")
    begun = []
    for generation, _, who, facts in _told(store, ("birth",), first, at):
        parents = tuple(facts.get("parents", ()))
        kind = "merge" if len(parents) > 1 else "mutation"
        begun.append(TrialView(int(who or 0), kind, facts.get("operator", ""), parents, path=((generation, 0.0),)))
    query = "SELECT * FROM gates WHERE generation BETWEEN ? AND ? ORDER BY generation, sequence"

    def rows() -> Iterator[Mapping[str, Any]]:
        for row in store.rows(query, (first, at)):
            told = dict(zip(names, row, strict=True))
            yield told | {name: _NAN if told[name] is None else told[name] for name in _REALS}

    opened, ended = read_trials(rows(), tuple(begun))
    tried = set(organelles.id[organelles.on_trial].tolist())
    return tuple(trial for trial in opened if trial.child in tried), ended


def _events(store: RunStore, at: int) -> tuple[Happening, ...]:
    """The latest news, oldest first."""
    untold = ", ".join(f"'{kind}'" for kind in _UNTOLD)
    query = (
        "SELECT generation, kind, organelle, data FROM events "
        f"WHERE generation <= ? AND kind NOT IN ({untold}) ORDER BY generation DESC, sequence DESC LIMIT ?"
    )
    told: list[Happening] = []
    for generation, kind, who, data in reversed(list(store.rows(query, (at, _MOST_EVENTS)))):
        told += happenings(generation, [(kind, who, json.loads(data))])
    return tuple(told)


def _niches(store: RunStore, at: int, edges: np.ndarray | None, depths: int) -> Niches | None:
    """The archive as it was: of every niche the latest elite, since it was emptied last."""
    if edges is None:
        return None
    emptied = next(store.rows("SELECT MAX(generation) FROM events WHERE kind = 'season' AND generation <= ?", (at,)))
    query = (
        "SELECT niche, bin, objective, organelle, MAX(generation), cell FROM archive "
        "WHERE generation BETWEEN ? AND ? GROUP BY niche ORDER BY niche"
    )
    rows = list(store.rows(query, (emptied[0] or 0, at)))
    table = np.array(rows, dtype=float).reshape(len(rows), 6).T
    cell = table[5].astype(np.int64)
    return Niches(
        cost_edges=edges,
        family=cell // depths,
        depth=cell % depths,
        bin=table[1].astype(np.int64),
        objective=table[2],
        organelle=table[3].astype(np.int64),
        generation=table[4].astype(np.int64),
    )


def _told(
    store: RunStore, kinds: tuple[str, ...], first: int, last: int
) -> Iterator[tuple[int, str, int | None, dict[str, Any]]]:
    """Events of some kinds, oldest first: generation, kind, organelle and facts."""
    places = ", ".join("?" * len(kinds))
    query = (
        f"SELECT generation, kind, organelle, data FROM events WHERE kind IN ({places}) AND generation BETWEEN ? AND ? "
        "ORDER BY generation, sequence"
    )
    for generation, kind, who, data in store.rows(query, (*kinds, first, last)):
        yield generation, kind, who, json.loads(data)
