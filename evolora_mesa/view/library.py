"""What lies in the folders of runs and of sweeps: a line each, told from their stores, also while they are written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar

from evolora_mesa.alife.runs import CHECKPOINT_FILE, classic_config, ended_by_itself, reached, summary_of
from evolora_mesa.errors import EvoloraError, one_line
from evolora_mesa.record.database import connect_to_read, faults
from evolora_mesa.record.layout import CONFIG_FILE, STORE_FILE, SUMMARY_FILE
from evolora_mesa.record.lock import RunLock
from evolora_mesa.record.store import RunStore
from evolora_mesa.strictyaml import parse_yaml
from evolora_mesa.study.sweep.findings import Findings
from evolora_mesa.study.sweep.folder import LOCK_FILE as SWEEP_LOCK
from evolora_mesa.study.sweep.results import STORE_FILE as SWEEP_STORE
from evolora_mesa.study.sweep.results import read_results

__all__ = ["Library", "RunEntry", "State", "SweepEntry"]

State = Literal["running", "finished", "ended", "extinct", "stopped", "unreadable"]
Entry = TypeVar("Entry", "RunEntry", "SweepEntry")
Stamps = tuple[tuple[str, float, int], ...]

_MOST: Final = 300  # folders, those changed last
_RATED: Final = 20  # latest runs that say how fast a sweep goes
_BESIDE: Final = {CHECKPOINT_FILE: (CONFIG_FILE, SUMMARY_FILE), CONFIG_FILE: ()}  # they say how a classic's run stands


class RunEntry(NamedTuple):
    """A run.

    Attributes:
        name: of its folder.
        state: "ended" is that of a classic model that would not go further; "stopped" goes on with evolora resume.
        world: its name, or that of a classic model.
        generation, asked: how far it is, and how far it was to go; of a classic model, steps.
        population: organelles alive; `None` for a classic model.
        success: share of right answers in its last generation; `None` where nobody answered.
        changed: when something was last written, in seconds since 1970.
        trouble: why it cannot be read, in one line.
        classic: it is one of a classic model.
    """

    name: str
    state: State
    changed: float
    world: str = ""
    seed: str = ""
    generation: int = 0
    asked: int = 0
    population: int | None = None
    success: float | None = None
    trouble: str = ""
    classic: bool = False


class SweepEntry(NamedTuple):
    """A sweep.

    Attributes:
        name: of its folder.
        done, failed, total: runs.
        seconds_left: if it goes on as lately; `None` unless it runs.
        findings: what follows from its runs; `None` before one has ended.
        changed, trouble: as of a run.
    """

    name: str
    state: State
    changed: float
    done: int = 0
    failed: int = 0
    total: int = 0
    seconds_left: float | None = None
    findings: Findings | None = None
    trouble: str = ""


class Library:
    """The folders below two others. A store is read again only when it has changed.

    Args:
        runs: where runs lie.
        sweeps: where sweeps lie.
    """

    def __init__(self, runs: Path, sweeps: Path) -> None:
        self._runs, self._sweeps = runs, sweeps
        self._known_runs: dict[str, tuple[object, RunEntry | None]] = {}
        self._known_sweeps: dict[str, tuple[object, SweepEntry | None]] = {}

    def runs(self) -> tuple[RunEntry, ...]:
        """All runs, the one that changed last first; those that cannot be read say why."""
        readers = {STORE_FILE: _run_entry, CHECKPOINT_FILE: _classic_entry, CONFIG_FILE: _founded_entry}
        return _listed(self._runs, readers, None, self._known_runs)

    def sweeps(self) -> tuple[SweepEntry, ...]:
        """All sweeps, likewise."""
        return _listed(self._sweeps, {SWEEP_STORE: _sweep_entry}, SWEEP_LOCK, self._known_sweeps)


def _listed(
    parent: Path,
    readers: Mapping[str, Callable[[Path, bool, float], Entry | None]],
    lock: str | None,
    known: dict[str, tuple[object, Entry | None]],
) -> tuple[Entry, ...]:
    """An entry for every folder with a store that somebody reads, latest first; ``known`` is brought up to date.

    Args:
        readers: by name of the store; in a folder with several, the first one counts. They give `None` for what only
            looks like one.
    """
    found = sorted(_stores(parent, tuple(readers)), key=lambda place: (-place[2], place[0].name))[:_MOST]
    entries: dict[str, tuple[object, Entry | None]] = {}
    for folder, store, changed, stamps in found:
        held = RunLock.is_held(folder) if lock is None else RunLock.is_held(folder, lock)
        mark = (store, stamps, held)
        before = known.get(folder.name)
        entries[folder.name] = before if before and before[0] == mark else (mark, readers[store](folder, held, changed))
    known.clear()
    known.update(entries)
    return tuple(entry for _, entry in entries.values() if entry is not None)


def _stores(parent: Path, stores: tuple[str, ...]) -> Iterator[tuple[Path, str, float, Stamps]]:
    """Folders with a store, its name, when it was last written, and time and size of every file that belongs to it."""
    try:
        folders = [folder for folder in parent.iterdir() if not folder.name.startswith(".")]
    except OSError:  # none yet
        return
    for folder in folders:
        store = next((name for name in stores if (folder / name).is_file()), None)
        if store is None:
            continue
        stamps = []
        for name in (store, *_BESIDE.get(store, (f"{store}-wal",))):
            try:
                status = (folder / name).stat()
            except OSError:
                continue
            stamps.append((name, status.st_mtime, status.st_size))
        if stamps:
            yield folder, store, max(when for _, when, _ in stamps), tuple(stamps)


def _run_entry(folder: Path, held: bool, changed: float) -> RunEntry:
    try:
        with RunStore.open(folder / STORE_FILE) as store, store.snapshot():
            store.refresh()
            meta = store.meta
            tail = store.tail(store.generation - 1)
        tree, _ = parse_yaml(meta.get("config", ""), "the store's config")
        asked = int(meta.get("asked_generations", 0))
    except (EvoloraError, ValueError) as error:
        return RunEntry(folder.name, "unreadable", changed, trouble=one_line(str(error)))
    figures = tail[-1] if tail else {}
    population = int(figures.get("population") or 0)
    state: State = "stopped"
    if held:
        state = "running"
    elif figures and not population:
        state = "extinct"
    elif store.generation >= asked:
        state = "finished"
    world = str(tree.get("name", "")) if isinstance(tree, dict) else ""
    return RunEntry(
        folder.name,
        state,
        changed,
        world=world,
        seed=meta.get("seed", ""),
        generation=max(store.generation, 0),
        asked=asked,
        population=population,
        success=figures.get("success_rate"),
    )


def _classic_entry(folder: Path, held: bool, changed: float) -> RunEntry:
    found = _founded_entry(folder, held, changed)
    trouble = f"no model in its {CONFIG_FILE}"
    return found or RunEntry(folder.name, "unreadable", changed, trouble=trouble, classic=True)


def _founded_entry(folder: Path, held: bool, changed: float) -> RunEntry | None:
    """That of a run which may have no checkpoint yet; `None` where the settings are none of a classic model."""
    try:
        config, summary = classic_config(str(folder / CONFIG_FILE)), summary_of(folder)
        step = reached(folder)
    except EvoloraError as error:
        return RunEntry(folder.name, "unreadable", changed, trouble=one_line(str(error)), classic=True)
    if config is None:
        return None
    state: State = "stopped"
    if held:
        state = "running"
    elif step >= config.generations:
        state = "finished"
    elif ended_by_itself(summary, step):
        state = "ended"
    seed, asked = str(config.seed), config.generations
    return RunEntry(folder.name, state, changed, config.model, seed, step, asked, classic=True)


def _sweep_entry(folder: Path, held: bool, changed: float) -> SweepEntry:
    try:
        spec, rows = read_results(folder)
    except EvoloraError as error:
        waiting = held and "no run of the sweep has ended yet" in str(error)
        return SweepEntry(folder.name, "running" if waiting else "unreadable", changed, trouble=one_line(str(error)))
    findings = Findings(spec, rows)
    done, failed, total = findings.count("done"), findings.count("failed"), len(rows)
    state: State = "running" if held else "finished" if done + failed == total else "stopped"
    left = _seconds_left(folder, total - done - failed) if held else None
    return SweepEntry(folder.name, state, changed, done, failed, total, left, findings)


def _seconds_left(folder: Path, missing: int) -> float | None:
    """For so many runs, at the speed at which the latest ones ended."""
    path = folder / SWEEP_STORE
    with faults("read the sweep", path), contextlib.closing(connect_to_read(path)) as connection:
        query = "SELECT ended FROM runs WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT ?"
        ended = [datetime.fromisoformat(when) for (when,) in connection.execute(query, (_RATED,))]
    if len(ended) < 2 or not missing:
        return None
    return (ended[0] - ended[-1]).total_seconds() / (len(ended) - 1) * missing
