"""The facts that a report tells, as they stand in the store at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from evolora_mesa.errors import RunError
from evolora_mesa.evolution.lineage import Phylogeny, Record
from evolora_mesa.record.layout import STORE_FILE
from evolora_mesa.record.report.social_facts import SocialFacts, read_society
from evolora_mesa.record.seasons import Turn, turns_of
from evolora_mesa.record.store import RunStore
from evolora_mesa.strictyaml import parse_yaml

__all__ = [
    "LAYERS",
    "Choice",
    "Field",
    "Frame",
    "Gate",
    "Niche",
    "RunFacts",
    "Snapshot",
    "read_field",
    "read_frame",
    "read_run",
]

LAYERS: Final = ("price", "success", "learning_progress", "occupancy")
_SNAPSHOTS: Final = 5  # pictures of the cells over a run
_STEPS: Final = 120  # columns of a map over time: more are narrower than a line
_FINAL: Final = ("accepted", "confined", "rejected")  # verdicts that end a trial
_RECENT: Final = 16  # generations whose episodes say who is best in a cell
_DOUBT: Final = 2.0  # failures that every success is held against, as where elites are chosen


class Gate(NamedTuple):
    """The end of a child's trial: ``uplift`` over the better parent with its anytime-valid bounds, as shares of right
    answers; nan where it was never measured."""

    generation: int
    child: int
    kind: str
    operator: str
    parents: str
    prompts: int
    uplift: float
    low: float
    high: float
    verdict: str
    reason: str


class Niche(NamedTuple):
    """The elite of a niche of the archive: ``objective`` is its success, ``cost`` its tokens per answer."""

    cell: int
    bin: int
    objective: float
    cost: float
    organelle: int
    generation: int


class Choice(NamedTuple):
    """The latest answer of the living organelle that did best in a cell lately.

    ``wins`` of ``tries`` are its episodes there in the last generations; ``success`` is of this one.
    """

    family: int
    depth: int
    organelle: int
    wins: int
    tries: int
    generation: int
    prompt: str
    answer: str
    success: bool


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The cells after a generation: every one of `LAYERS` as ``[families, depths]``, nan where nothing is known."""

    generation: int
    layers: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class RunFacts:
    """What a report tells of a run.

    Attributes:
        path: the run's folder.
        meta: facts about the run, as texts; see `RunStore.meta`.
        settings: by dotted name.
        digest: of the last generation.
        figures: by model reporter, a value per generation; nan where there was none.
        families: names of the grid's rows.
        depths: columns of the grid.
        snapshots: a few of them, the last generation's last.
        steps: first generation of every column of the maps over time.
        over_time: by layer, ``[families, steps]``, means over depths and over the generations of a step.
        gates: trials that ended, by generation.
        reasons: how often the gate gave a verdict for a reason, by ``(verdict, reason)``.
        flows: energy by ``(reason, kind of the giver, kind of the taker)``.
        phylogeny: everybody who ever lived.
        niches: of the archive, as they are now.
        choices: what the best organelles answer now, by cell.
        social: what organelles did with one another, and what befell all of them.
        turns: what came of the changes of the world.
    """

    path: Path
    meta: Mapping[str, str]
    settings: Mapping[str, Any]
    digest: str
    figures: Mapping[str, np.ndarray]
    families: tuple[str, ...]
    depths: int
    snapshots: tuple[Snapshot, ...]
    steps: np.ndarray
    over_time: Mapping[str, np.ndarray]
    gates: tuple[Gate, ...]
    reasons: Mapping[tuple[str, str], int]
    flows: Mapping[tuple[str, str, str], float]
    phylogeny: Phylogeny
    niches: tuple[Niche, ...]
    choices: tuple[Choice, ...]
    social: SocialFacts
    turns: tuple[Turn, ...]

    @property
    def name(self) -> str:
        """World and seed."""
        return _world(self.settings, self.meta)

    @property
    def last(self) -> int:
        """The last generation."""
        return len(self.figures["generation"]) - 1

    @property
    def asked(self) -> int:
        """Generations that were asked for."""
        return int(self.meta.get("asked_generations", self.last))

    @property
    def extinct(self) -> bool:
        return bool(self.figures["population"][-1] == 0)

    def total(self, name: str) -> float:
        """Sum of a figure over the run, without what has no value."""
        return float(np.nansum(self.figures[name])) if name in self.figures else 0.0


def read_run(folder: str | Path) -> RunFacts:
    """Read everything that a report needs; the run may still be going on.

    Raises:
        RunError: there is no store, it cannot be read, has no generation yet, or holds what cannot have happened.
    """
    folder = Path(folder)
    with RunStore.open(folder / STORE_FILE) as store:
        list(store.rows("BEGIN"))  # every query below sees the same moment of a run that goes on
        store.refresh()
        frame = read_frame(store)
        families, shape = frame.families, (len(frame.families), frame.depths)
        steps, over_time = _over_time(store, shape[0])
        return RunFacts(
            path=folder,
            meta=store.meta,
            settings=frame.settings,
            digest=store.digest,
            figures=frame.figures,
            families=families,
            depths=frame.depths,
            snapshots=tuple(_snapshot(store, generation, shape) for generation in _picked(store.generation)),
            steps=steps,
            over_time=over_time,
            gates=_gates(store),
            reasons={
                (verdict, reason): count
                for verdict, reason, count in store.rows("SELECT verdict, reason, COUNT(*) FROM gates GROUP BY 1, 2")
            },
            flows=_flows(store),
            phylogeny=phylogeny_of(store),
            niches=_niches(store),
            choices=_choices(store),
            social=read_society(store),
            turns=turns_of(store, families),
        )


# ---------------------------------------------------------------- the run and its figures


class Frame(NamedTuple):
    """What every picture of a run needs: its name, its settings by dotted name, its grid and its figures."""

    name: str
    settings: Mapping[str, Any]
    families: tuple[str, ...]
    depths: int
    figures: Mapping[str, np.ndarray]


def read_frame(store: RunStore) -> Frame:
    """The frame of a run, as far as it is on record.

    Raises:
        RunError: the run has no generation yet.
    """
    if store.generation < 0:
        raise RunError("the run has no generation yet", where=store.path.parent, do="Try again when it has begun.")
    settings, (families, depths) = _settings(store), _shape(store)
    return Frame(_world(settings, store.meta), settings, _families(settings, families), depths, _figures(store))


def _world(settings: Mapping[str, Any], meta: Mapping[str, str]) -> str:
    return f"{settings.get('name', 'world')}, seed {meta.get('seed', '?')}"


def _settings(store: RunStore) -> dict[str, Any]:
    """By dotted name, as they stand there: those of another version may be no settings of ours."""
    tree, _ = parse_yaml(store.meta.get("config", ""), "the store's config")
    found: dict[str, Any] = {}
    for section, value in tree.items() if isinstance(tree, dict) else ():
        inner = value if isinstance(value, dict) else {}
        found |= {f"{section}.{key}": held for key, held in inner.items()} if inner else {section: value}
    return found


def _families(settings: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """Names of the families; a user's has its class's, for to ask it for its own would run its code."""
    users = [str(path).rpartition(":")[2] for path in settings.get("tasks.user_families") or ()]
    names = [*map(str, settings.get("tasks.families") or ()), *users]
    return tuple(names[place] if place < len(names) else f"family {place + 1}" for place in range(count))


def _figures(store: RunStore) -> dict[str, np.ndarray]:
    names = [name for name in store.columns("generations") if name != "digest"]
    rows = store.rows(f"SELECT {', '.join(map(_name, names))} FROM generations ORDER BY generation")
    return dict(zip(names, np.array(list(rows), dtype=float).T, strict=True))


def _name(column: str) -> str:
    return f'"{column}"'  # `window` is a word of SQL


def _flows(store: RunStore) -> dict[tuple[str, str, str], float]:
    from evolora_mesa.economy.ledger import QUANTA_PER_ENERGY

    query = "SELECT reason, source_kind, target_kind, SUM(quanta) FROM ledger GROUP BY 1, 2, 3 ORDER BY 4 DESC"
    return {(reason, giver, taker): quanta / QUANTA_PER_ENERGY for reason, giver, taker, quanta in store.rows(query)}


# ---------------------------------------------------------------- cells


def _shape(store: RunStore) -> tuple[int, int]:
    """Families and depths."""
    query = "SELECT MAX(family), MAX(depth) FROM cells WHERE generation = (SELECT MIN(generation) FROM cells)"
    family, depth = next(store.rows(query))  # every generation has all cells
    return (0, 0) if family is None else (family + 1, depth + 1)


def _picked(last: int) -> list[int]:
    """Generations that are shown as pictures: the first lived one, the last, and some evenly between."""
    return sorted(set(np.linspace(min(1, last), last, _SNAPSHOTS).round().astype(int).tolist()))


def _snapshot(store: RunStore, generation: int, shape: tuple[int, int]) -> Snapshot:
    layers = {name: np.full(shape, np.nan) for name in LAYERS}
    query = f"SELECT family, depth, {', '.join(LAYERS)} FROM cells WHERE generation = ?"
    for family, depth, *values in store.rows(query, (generation,)):
        for name, value in zip(LAYERS, values, strict=True):
            layers[name][family, depth] = np.nan if value is None else value
    return Snapshot(generation, layers)


def _over_time(store: RunStore, families: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """First generations of the steps, and by layer ``[families, steps]``; the founding knows nothing yet."""
    width = -(-store.generation // _STEPS) or 1
    count = -(-store.generation // width)
    maps = {name: np.full((families, count), np.nan) for name in ("success", "learning_progress")}
    query = (
        f"SELECT family, (generation - 1) / {width}, {', '.join(f'AVG({name})' for name in maps)} "
        "FROM cells WHERE generation > 0 GROUP BY 1, 2"
    )
    for family, step, *values in store.rows(query):
        for layer, value in zip(maps.values(), values, strict=True):
            layer[family, step] = np.nan if value is None else value
    return 1 + width * np.arange(count), maps


class Field(NamedTuple):
    """The cells at many generations.

    Attributes:
        name: world and seed.
        generations: ``[times]``.
        price, success, occupancy: ``[times, families, depths]``.
        last: generation of the store.
    """

    name: str
    families: tuple[str, ...]
    depths: int
    generations: list[int]
    price: np.ndarray
    success: np.ndarray
    occupancy: np.ndarray
    last: int


def read_field(store: RunStore, most: int) -> Field:
    """The cells from the founding to the last generation, evenly picked where these are more than ``most``."""
    settings, shape = _settings(store), _shape(store)
    picked = sorted(set(np.linspace(0, max(store.generation, 0), most).round().astype(int).tolist()))
    if len(picked) > store.generation + 1:
        picked = list(range(store.generation + 1))
    shots = [_snapshot(store, generation, shape).layers for generation in picked]
    layers = {name: np.array([shot[name] for shot in shots]) for name in ("price", "success", "occupancy")}
    name = _world(settings, store.meta)
    return Field(name, _families(settings, shape[0]), shape[1], picked, **layers, last=store.generation)


# ---------------------------------------------------------------- selection


def _gates(store: RunStore) -> tuple[Gate, ...]:
    verdicts = ", ".join(f"'{verdict}'" for verdict in _FINAL)
    query = (
        f"SELECT {', '.join(map(_name, Gate._fields))} FROM gates WHERE verdict IN ({verdicts}) ORDER BY 1, sequence"
    )
    return tuple(Gate._make(np.nan if value is None else value for value in row) for row in store.rows(query))


def phylogeny_of(store: RunStore) -> Phylogeny:
    """Everybody who has lived so far.

    Raises:
        RunError: an impossible life is on record.
    """
    book = Phylogeny()
    names = ", ".join(Record._fields)
    for id, parents, *rest in store.rows(f"SELECT {names} FROM phylogeny ORDER BY id"):
        book.enter(Record(id, tuple(map(int, parents.split())), *rest))
    return book


def _niches(store: RunStore) -> tuple[Niche, ...]:
    """Of every niche the row of its latest change: SQLite takes the other columns from the row of the maximum."""
    query = (
        "SELECT cell, bin, objective, cost, organelle, MAX(generation) FROM archive "
        "GROUP BY niche HAVING objective IS NOT NULL ORDER BY niche"
    )
    return tuple(Niche(*row) for row in store.rows(query))


# ---------------------------------------------------------------- answers


def _choices(store: RunStore) -> tuple[Choice, ...]:
    """By cell, the best of those who still live, and its latest episode there whether it was right or not."""
    shifted = next(store.rows("SELECT MAX(generation) FROM events WHERE kind = 'season'"))[0] or 1
    first = max(store.generation - _RECENT + 1, shifted)  # what was paid for before a shift says nothing now
    query = """
        SELECT family, depth, organelle, SUM(success), COUNT(*), MAX(generation) FROM episodes
        WHERE generation >= ? AND organelle IN (SELECT id FROM organelles WHERE generation = ?) GROUP BY 1, 2, 3"""
    best: dict[tuple[int, int], tuple[float, tuple[Any, ...]]] = {}
    for family, depth, *rest in store.rows(query, (first, store.generation)):
        _, wins, tries, _ = rest
        score = wins / (tries + _DOUBT)
        if (family, depth) not in best or score > best[family, depth][0]:
            best[family, depth] = (score, tuple(rest))
    return tuple(_choice(store, cell, *best[cell][1]) for cell in sorted(best))


def _choice(store: RunStore, cell: tuple[int, int], organelle: int, wins: int, tries: int, generation: int) -> Choice:
    query = """
        SELECT prompt, answer, success FROM episodes
        WHERE generation = ? AND family = ? AND depth = ? AND organelle = ? ORDER BY "row" DESC LIMIT 1"""
    prompt, answer, success = next(store.rows(query, (generation, *cell, organelle)))
    return Choice(*cell, organelle, wins, tries, generation, prompt, answer, bool(success))
