"""One organelle from the inside: what it descends from, owns, can and lately did.

Read in the world's own thread, between two generations; what comes out is frozen and shares nothing with the world.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch

from evolora_mesa.economy.ledger import QUANTA_PER_ENERGY
from evolora_mesa.errors import RunError
from evolora_mesa.evolution.lineage import Record
from evolora_mesa.evolution.lowrank import decompose
from evolora_mesa.evolution.traits import TRAITS
from evolora_mesa.view.notebook import Notebook

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel
    from evolora_mesa.organelle import Organelle

__all__ = ["Entry", "Episode", "InspectedOrganelle", "Skill", "Spectrum", "inspect"]

_MOST_EPISODES: Final = 16
_MOST_ENTRIES: Final = 40
_LEAST_EVIDENCE: Final = 0.5  # discounted episodes in a cell, below which nothing is said of it
_Z: Final = 1.959964  # of a two-sided 95 % interval


class Entry(NamedTuple):
    """Energy that came (above 0) or went, in one generation, for one reason, from or to one kind of account."""

    generation: int
    reason: str
    other: str
    amount: float


class Skill(NamedTuple):
    """What was achieved in a cell: the share of right answers in the paid style, with its 95 % interval (Wilson, 1927).

    ``episodes`` are discounted, older ones count less; ``style`` is what the cell pays for.
    """

    family: int
    depth: int
    episodes: float
    success: float
    low: float
    high: float
    style: str


class Spectrum(NamedTuple):
    """Singular values of the weight change at one site, descending, scaling included."""

    site: str
    values: tuple[float, ...]


class Episode(NamedTuple):
    """One answered task; ``style`` is what its cell pays for now, ``stand_in`` says that another adapter answered."""

    generation: int
    family: str
    depth: int
    prompt: str
    answer: str
    target: str
    style: str
    success: bool
    reward: float
    tokens: int
    stand_in: bool


@dataclass(frozen=True)
class InspectedOrganelle:
    """One organelle after generation ``tick``.

    Attributes:
        life: birth, acceptance and death, parents, operator.
        children: ids and what became of them, oldest first.
        alive: the rest is empty for the dead.
        confined: it must stay in its parents' cells.
        colony: its number; `None` without one.
        traits: heritable, by name.
        energy: owned now.
        entries: of its account in the last generations, latest first.
        skills: cells with evidence, most work first.
        spectra: by site.
        episodes: latest first.
    """

    tick: int
    life: Record
    children: tuple[tuple[int, str], ...]
    alive: bool = False
    on_trial: bool = False
    confined: bool = False
    colony: int | None = None
    traits: tuple[tuple[str, float], ...] = ()
    energy: float = 0.0
    entries: tuple[Entry, ...] = ()
    skills: tuple[Skill, ...] = ()
    spectra: tuple[Spectrum, ...] = ()
    episodes: tuple[Episode, ...] = ()


def inspect(model: EcologyModel, id: int) -> InspectedOrganelle:
    """What there is to know of an organelle, living or dead.

    Raises:
        RunError: nobody of this id has ever been in this world.
    """
    try:
        life = model.phylogeny[id]
    except KeyError:
        raise RunError("no such organelle in this world", got=id, do="Choose one of the grid.") from None
    children = tuple((record.id, _fate(record)) for record in model.phylogeny if id in record.parents)
    organelle = next((one for one in model.agents if one.unique_id == id), None)
    if organelle is None:
        return InspectedOrganelle(model.tick, life, children)
    slots = np.array([organelle.slot])
    return InspectedOrganelle(
        tick=model.tick,
        life=life,
        children=children,
        alive=True,
        on_trial=organelle.on_trial,
        confined=life.status == "confined",
        colony=next((team.number for team in model.colonies.founded if id in team.members), None),
        traits=tuple(zip(TRAITS, model.traits.rows(slots)[0].tolist(), strict=True)),
        energy=organelle.energy,
        entries=_entries(model, organelle),
        skills=_skills(model, organelle),
        spectra=_spectra(model, organelle),
        episodes=tuple(_episodes(model, organelle)),
    )


def _fate(record: Record) -> str:
    """What became of somebody, in a word or two."""
    if not record.alive:
        return record.cause
    return "on trial" if record.status == "trial" else record.status


def _entries(model: EcologyModel, organelle: Organelle) -> tuple[Entry, ...]:
    """Its transfers, those of one generation, reason and partner as one."""
    cells = {
        account: f"{model.grid.families[place // model.grid.depths]}, depth {place % model.grid.depths + 1}"
        for place, account in enumerate(model.cell_accounts.tolist())
    }
    living = {other.account: f"#{other.unique_id}" for other in model.agents}
    mine = organelle.account
    entries = []
    for sheet in reversed(Notebook.of(model).sheets):
        sums: defaultdict[tuple[str, str], int] = defaultdict(int)
        for reason, source, target, quanta in sheet.transfers:
            for own, other, sign in ((target, source, 1), (source, target, -1)):
                rows = np.flatnonzero(own == mine)
                kinds = model.ledger.kinds(other[rows]) if rows.size else []
                for row, kind in zip(rows.tolist(), kinds, strict=True):
                    account = int(other[row])
                    sums[reason, cells.get(account, living.get(account, kind))] += sign * int(quanta[row])
        entries += [Entry(sheet.generation, *key, quanta / QUANTA_PER_ENERGY) for key, quanta in sums.items()]
        if len(entries) >= _MOST_ENTRIES:
            break
    return tuple(entries[:_MOST_ENTRIES])


def _skills(model: EcologyModel, organelle: Organelle) -> tuple[Skill, ...]:
    episodes, wins = model.history.episodes[organelle.slot], model.history.wins[organelle.slot]
    skills = []
    for cell in np.argsort(-episodes, kind="stable").tolist():
        n = float(episodes[cell])
        if n < _LEAST_EVIDENCE:
            break
        share = min(float(wins[cell]) / n, 1.0)
        shrink = 1 + _Z**2 / n
        middle = (share + _Z**2 / (2 * n)) / shrink
        half = _Z * (share * (1 - share) / n + _Z**2 / (4 * n**2)) ** 0.5 / shrink
        family, depth = divmod(cell, model.grid.depths)
        style = model.contracts.style(model.grid.families[family], depth + 1)
        skills.append(Skill(family, depth, n, share, max(middle - half, 0.0), min(middle + half, 1.0), style))
    return tuple(skills)


def _spectra(model: EcologyModel, organelle: Organelle) -> tuple[Spectrum, ...]:
    spectra = []
    for site, (a, b) in model.bank.read(organelle.slot).items():
        values = torch.zeros(0)
        if a.numel() and bool(a.isfinite().all()) and bool(b.isfinite().all()):
            values = model.bank.scaling * decompose(a.float()[None], b.float()[None]).values[0]
        spectra.append(Spectrum(site, tuple(values.tolist())))
    return tuple(spectra)


def _episodes(model: EcologyModel, organelle: Organelle) -> Iterator[Episode]:
    told = 0
    for sheet in reversed(Notebook.of(model).sheets):
        if sheet.shift is None:
            continue
        work, grades, ids = sheet.shift
        for row in np.flatnonzero(ids[work.owners] == organelle.unique_id).tolist():
            task = work.tasks[row]
            yield Episode(
                sheet.generation,
                task.family,
                task.depth,
                task.prompt,
                work.answers.texts[row],
                task.target,
                model.contracts.style(task.family, task.depth),
                bool(grades.success[row]),
                float(grades.rewards[row]),
                len(work.answers.tokens[row]),
                bool(work.answered_by[row] != organelle.slot),
            )
            told += 1
            if told == _MOST_EPISODES:
                return
