"""Capability matching: steps of composite tasks are auctioned by expected profit, and load has a price.

The contract net (R. G. Smith, "The contract net protocol", 1980), with bids that are what a bidder expects to keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from evolora_mesa.config_society import OrchestratorConfig
from evolora_mesa.organelle import Organelle
from evolora_mesa.society.job import Job
from evolora_mesa.tasks.composite import Composite

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["auction", "match_steps", "match_wholes", "true_cells"]


def auction(profit: np.ndarray, cells: Sequence[int], congestion: float) -> list[list[int]]:
    """Who is asked, and who after that if it fails; the bidders of each step in the order of their bids.

    A bid is the profit that its bidder expects, less ``congestion`` for every step that it has already won here. Who
    expects nothing makes no bid.

    Args:
        profit: ``[bidders, cells]`` expected of one step in a cell, in energy; -inf where one may not work.
        cells: of the steps, in the order in which they are auctioned.
        congestion: price of a step of load, in energy.

    Returns:
        For each step the places of its bidders, best first; empty where nobody bids.
    """
    load = np.zeros(len(profit))
    ranked = []
    for cell in cells:
        bids = profit[:, cell] - congestion * load
        order = np.argsort(-bids, kind="stable")
        ranked.append(order[bids[order] > 0].tolist())
        if ranked[-1]:
            load[ranked[-1][0]] += 1
    return ranked


def match_steps(
    model: EcologyModel,
    organelles: Sequence[Organelle],
    composites: Sequence[Composite],
    families: Sequence[Sequence[str]],
    settings: OrchestratorConfig,
) -> list[Job]:
    """Every step to those who bid for the cell that it is taken for.

    How deep a step is anybody can see, by the length of its question.

    Args:
        families: of each composite, what its steps are taken for.
    """
    cells = [_cells(model, some, composite) for some, composite in zip(families, composites, strict=True)]
    ranked = iter(auction(_profit(model, organelles), np.concatenate(cells).tolist(), settings.congestion))
    return [
        Job(
            composite,
            list(some),
            [_wording(model, family, step.template) for family, step in zip(some, composite.steps, strict=True)],
            [[organelles[place].unique_id for place in next(ranked)] for _ in some],
            False,
            settings.replacements,
        )
        for composite, some in zip(composites, families, strict=True)
    ]


def match_wholes(
    model: EcologyModel, organelles: Sequence[Organelle], composites: Sequence[Composite], settings: OrchestratorConfig
) -> list[Job]:
    """Every composite as a whole to the one that expects most of its true steps together."""
    profit = _profit(model, organelles)
    jobs = []
    for composite in composites:
        families = [step.family for step in composite.steps]
        total = profit[:, _cells(model, families, composite)].sum(1, keepdims=True)
        (ranked,) = auction(total, [0], 0.0)
        bidders = [organelles[place].unique_id for place in ranked]
        jobs.append(Job(composite, families, [], [bidders], True, settings.replacements))
    return jobs


def _cells(model: EcologyModel, families: Sequence[str], composite: Composite) -> list[int]:
    """Flat numbers of the cells of these families, as deep as the steps are."""
    grid = model.grid
    return [
        grid.families.index(family) * grid.depths + step.depth - 1
        for family, step in zip(families, composite.steps, strict=True)
    ]


def true_cells(model: EcologyModel, composite: Composite) -> list[int]:
    """Flat numbers of the cells that the steps belong to."""
    return _cells(model, [step.family for step in composite.steps], composite)


def _wording(model: EcologyModel, family: str, template: int) -> str:
    wordings = model.tasks.families[family].templates
    return wordings[template % len(wordings)]


def _profit(model: EcologyModel, organelles: Sequence[Organelle]) -> np.ndarray:
    """``[organelles, cells]`` energy that each expects of one step; -inf where it may not work, or nobody does."""
    slots = np.array([organelle.slot for organelle in organelles])
    profit = model.beliefs.success(slots) * model.grid.layer("price") * model.payout - model.episode_cost
    return np.where(model.beliefs.allowed[slots] & model.open, profit, -np.inf).reshape(len(slots), -1)
