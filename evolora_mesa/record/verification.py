"""Whether a run folder is what a run left there: the store, its checkpoints, and the files that say the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from evolora_mesa.errors import EvoloraError, RunError
from evolora_mesa.record.checkpoint import StorePosition, faults
from evolora_mesa.record.database import faults as cannot
from evolora_mesa.record.given import Given, given_settings
from evolora_mesa.record.invariants import Finding, check
from evolora_mesa.record.layout import (
    CHECKPOINT_FOLDER,
    CONFIG_FILE,
    PHYLOGENY_FILE,
    RATINGS_FILE,
    STORE_FILE,
    SUMMARY_FILE,
)
from evolora_mesa.record.phylogeny import read_phylogeny
from evolora_mesa.record.reporters import COUNTED
from evolora_mesa.record.store import RunStore
from evolora_mesa.record.summary import earlier_results, read_summary
from evolora_mesa.society.ratings import RatingBook

__all__ = ["Verification", "verify"]


class Verification(NamedTuple):
    """What was found in a run folder.

    Attributes:
        generation, digest: of the last generation in the store.
        findings: broken invariants; none in a sound run.
        finished: it has a summary.
        results: what is to be known of the phylogeny and the adapters beside it; empty when they are the newest.
        older: that an older version of the program began it; empty if it was this one.
    """

    generation: int
    digest: str
    findings: list[Finding]
    finished: bool
    results: str
    older: str = ""

    @property
    def ok(self) -> bool:
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        findings = [finding._asdict() for finding in self.findings]
        return {**self._asdict(), "findings": findings, "ok": self.ok}


def verify(run: Path) -> Verification:
    """Check a run folder, also one that is being written.

    Raises:
        RunError: there is no store, or it is of another program or version.
    """
    with cannot("read the run", run):  # a name that is too long
        finished = (run / SUMMARY_FILE).is_file()  # before the store: a run that ends meanwhile is not yet finished
    with RunStore.open(run / STORE_FILE) as store:
        with store.snapshot():
            store.refresh()
            generation, digest = store.position
            findings = check(store)
            results = list(_results(run, store)) if finished else []
        if finished and not (run / SUMMARY_FILE).is_file():  # it goes on since then
            finished, results = False, []
        # After the snapshot, for files do not wait for it: a checkpoint may be newer, and the store then reaches it.
        given, fault = _given(run, store)
        told = [*fault, *_files(run, store, given), *results]
    findings += [Finding("files agree with the store", -1, fault) for fault in told]
    older = "" if given is None else given.older
    return Verification(generation, digest, findings, finished, earlier_results(run), older)


def _given(run: Path, store: RunStore) -> tuple[Given | None, list[str]]:
    """The settings, or what is wrong with them."""
    try:
        return given_settings(run, store.meta), []
    except RunError:
        return None, [f"{CONFIG_FILE} has other settings"]
    except EvoloraError as error:
        return None, [f"{CONFIG_FILE}: {error}"]


def _files(run: Path, store: RunStore, given: Given | None) -> Iterator[str]:
    if given is not None:
        yield from _checkpoints(run, store, given)
    try:
        RatingBook(run / RATINGS_FILE)
    except RunError as error:
        yield f"{RATINGS_FILE}: {error}"


def _checkpoints(run: Path, store: RunStore, given: Given) -> Iterator[str]:
    def fits(position: StorePosition) -> str | None:
        digest = store.digest_of(position.generation)
        if digest == position.digest:
            return None
        return "the store does not reach it" if digest is None else "the store has another past"

    older = store.meta.get("config_hash", "") if given.older else ""
    for name, fault in faults(run / CHECKPOINT_FOLDER, given.config, fits, older).items():
        yield f"{CHECKPOINT_FOLDER}/{name}: {fault}"


def _told(store: RunStore) -> dict[str, Any]:
    """What a summary must say."""
    last = {name: value for row in store.tail(store.generation - 1) for name, value in row.items() if name != "digest"}
    counted = [name for name in COUNTED if name in store.columns("generations")]  # an older version counted less
    sums = ", ".join(f'sum("{name}")' for name in counted)
    totals = next(store.rows(f"SELECT {sums} FROM generations"))
    return {
        "digest": store.digest,
        "generations": store.generation,
        "totals": dict(zip(counted, totals, strict=True)),
        "last": last,
    }


def _results(run: Path, store: RunStore) -> Iterator[str]:
    try:
        summary = read_summary(run / SUMMARY_FILE)
        for name, expected in _told(store).items():
            if not isinstance(summary, dict) or summary.get(name) != expected:
                yield f"{SUMMARY_FILE}: {name} is not as in the store"
        lives = {record.id: record for record in read_phylogeny(run / PHYLOGENY_FILE)}
        for id, parents, *rest in store.table("phylogeny"):
            told = lives.pop(id, None)
            if told is None or (id, tuple(map(int, parents.split())), *rest) != tuple(told):
                yield f"{PHYLOGENY_FILE}: organelle {id} is not as in the store"
                return
        if lives:
            yield f"{PHYLOGENY_FILE}: organelle {min(lives)} is not in the store"
    except (OSError, ValueError, RecursionError) as error:
        yield f"{SUMMARY_FILE}: {error}"
    except RunError as error:
        yield str(error)
