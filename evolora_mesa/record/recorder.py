"""Writing a world down: the rows of a generation, gathered from the world when the generation is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from evolora_mesa.config import RecordConfig
from evolora_mesa.economy.ledger import IntArray
from evolora_mesa.errors import RunError
from evolora_mesa.record.reporters import MODEL_REPORTERS
from evolora_mesa.record.schema import GenerationRows, Row
from evolora_mesa.record.store import RunStore
from evolora_mesa.tasks.grid import LAYERS

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["OPENING", "Recorder", "is_sampled"]

OPENING: Final = "opening"  # reason of what accounts owned already when the record began
_LIVES: Final = ("founded", "birth", "revived", "accepted", "confined", "death")  # events that change the phylogeny


def is_sampled(generation: int, row: int, every: int) -> bool:
    """Whether a sample of one row in ``every`` holds this one; each row's turn comes once in ``every`` generations."""
    return (row + generation) % every == 0


class Recorder:
    """Writes every generation of one world into a store.

    Args:
        store: where to.
        settings: what is kept.
    """

    def __init__(self, store: RunStore, settings: RecordConfig) -> None:
        self.store, self._settings = store, settings
        self._transfers: list[tuple[str, IntArray, IntArray, IntArray]] = []

    def attach(self, model: EcologyModel) -> None:
        """From now on write down what happens in ``model``; a store that is empty gets the world as it is now.

        Raises:
            RunError: the store belongs to another generation, or cannot be written.
        """
        if self._settings.transfers:
            model.ledger.observer = self._see
        model.recorder = self
        if self.store.generation == -1 and model.tick == 0:
            if self._settings.transfers:
                self._open_books(model)
            self._append(model, {name: report(model) for name, report in MODEL_REPORTERS.items()})
        elif self.store.generation != model.tick:
            raise RunError(
                "the store is not where the world is",
                where=self.store.path,
                expected=f"generation {model.tick}",
                got=self.store.generation,
            )

    def take(self, model: EcologyModel) -> None:
        """Write down the generation that is over.

        Raises:
            RunError: the store cannot be written.
        """
        self._append(model, model.snapshot.row)

    def _append(self, model: EcologyModel, figures: Mapping[str, float]) -> None:
        self.store.append(
            GenerationRows(
                generation=model.tick,
                figures=figures,
                cells=_cells(model),
                organelles=_organelles(model),
                episodes=self._episodes(model),
                events=model.events,
                gates=model.datacollector.rows_of("gates", model.tick),
                ledger=self._ledger(model),
                archive=_archive(model),
                phylogeny=_phylogeny(model),
            )
        )
        self._transfers.clear()

    # ------------------------------------------------------------------ energy

    def _see(self, reason: str, source: IntArray, target: IntArray, quanta: IntArray) -> None:
        self._transfers.append((reason, source, target, quanta))

    def _open_books(self, model: EcologyModel) -> None:
        """What was given before the record began, as gifts of the sun."""
        accounts, quanta = model.ledger.holdings()
        owned = accounts != model.sun
        self._see(OPENING, np.full(int(owned.sum()), model.sun), accounts[owned], quanta[owned])

    def _ledger(self, model: EcologyModel) -> Iterator[Row]:
        kinds = model.ledger.kinds
        for reason, source, target, quanta in self._transfers:
            columns = (kinds(source), source.tolist(), kinds(target), target.tolist(), quanta.tolist())
            for row in zip(*columns, strict=True):
                yield (reason, *row)

    # ------------------------------------------------------------------ work

    def _episodes(self, model: EcologyModel) -> Iterator[Row]:
        settings = self._settings
        if settings.episodes == "none" or model.last_work is None or model.tick == 0:
            return
        work, grades, ids = model.last_work
        answers = work.answers
        families, depths = np.divmod(work.cells, model.grid.depths)
        columns = zip(
            range(len(work.tasks)),
            ids[work.owners].tolist(),
            families.tolist(),
            depths.tolist(),
            (str(task.template) for task in work.tasks),
            (task.prompt for task in work.tasks),
            answers.texts,
            grades.success.astype(int).tolist(),
            grades.rewards.tolist(),
            map(len, answers.prompts),
            map(len, answers.tokens),
            answers.log_probability.tolist(),
            strict=True,
        )
        everything = settings.episodes == "all"
        for row in columns:
            if everything or is_sampled(model.tick, row[0], settings.sample_every):
                yield row


def _cells(model: EcologyModel) -> Iterator[Row]:
    layers = [model.grid.layer(name) for name in LAYERS]
    columns = [layer.ravel().tolist() for layer in layers]
    columns[LAYERS.index("occupancy")] = layers[LAYERS.index("occupancy")].astype(int).ravel().tolist()
    places = np.indices(layers[0].shape).reshape(2, -1).tolist()
    return zip(*places, *columns, strict=True)


def _organelles(model: EcologyModel) -> Iterator[Row]:
    for o in model.organelles():
        yield (
            o.unique_id,
            o.slot,
            o.lineage,
            *o.cell.coordinate,
            o.energy,
            o.roi,
            o.age,
            o.on_trial,
            o.answered,
            o.succeeded,
        )


def _archive(model: EcologyModel) -> Iterator[Row]:
    """The niches that changed; nothing is known of those that were emptied."""
    archive = model.archive
    if archive is None or not any(kind in ("elite", "season") for kind, _, _ in model.events):
        return
    emptied = {niche for kind, _, facts in model.events if kind == "season" for niche in facts["emptied"]}
    for elite in archive.elites():
        if elite.generation == model.tick:
            where = (elite.niche, elite.cell, elite.niche % archive.bins)
            yield (*where, elite.objective, elite.cost, elite.organelle)
            emptied.discard(elite.niche)
    for niche in sorted(emptied):
        yield (niche, niche // archive.bins, niche % archive.bins, None, None, None)


def _phylogeny(model: EcologyModel) -> Iterator[Row]:
    """The lives that began, were accepted or ended."""
    changed = {who for kind, who, _ in model.events if kind in _LIVES and who is not None}
    for who in sorted(changed):
        id, parents, *rest = model.phylogeny[who]
        yield (id, " ".join(map(str, parents)), *rest)
