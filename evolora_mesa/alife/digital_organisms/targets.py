"""Published figures of Avida, beside what this version does.

Exact: single genomes on Avida's own test processor. Thresholds: populations of the Avida program; ours pass within
three standard errors of a difference between two means, and shares of runs unless Fisher's exact test rejects them at
.01. No threshold makes two programs the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any, Final, NamedTuple

import numpy as np

from evolora_mesa.alife.digital_organisms import layout
from evolora_mesa.alife.digital_organisms.genome import ancestor
from evolora_mesa.alife.digital_organisms.gestation import gestation, task_names
from evolora_mesa.alife.digital_organisms.model import DigitalOrganisms
from evolora_mesa.alife.digital_organisms.programs import NOT_GENOME, program
from evolora_mesa.alife.digital_organisms.tasks import TASK_OF_TABLE, TASKS
from evolora_mesa.alife.interface import Target

__all__ = ["History", "effective_phenotypes", "history", "targets"]

_AVIDA: Final = "the Avida 2.14 program, run for our research note"
_SECONDARY: Final = "secondary sources; not read in the original"
_UPDATES, _SEEDS, _SIDE = 1500, 30, 20
_FULL: Final = 200  # updates after which a world of 20 × 20 is full
_LOOK_EVERY: Final = 25  # updates
_NICHE_UPDATES, _NICHE_SEEDS = 10_000, 3


def targets(*, quick: bool) -> list[Target]:
    """Single genomes and a little world; all but ``quick`` also 39 populations of 20 × 20, in minutes."""
    found = [*_genomes(), *_logic(), _little_world()]
    return found if quick else [*found, *_populations(), _large_world(), *_niches()]


# ---------------------------------------------------------------- single genomes


def _genomes() -> list[Target]:
    known: dict[str, tuple[str, dict[str, float], str]] = {
        "ancestor of 100": (ancestor(100), {"time": 389, "executed": 97, "merit": 97, "fitness": 0.249357}, _AVIDA),
        "ancestor of 50": (ancestor(50), {"time": 189, "executed": 47, "merit": 47, "fitness": 0.248677}, _AVIDA),
        "NOT genome": (NOT_GENOME, {"time": 387, "merit": 194}, f"{_SECONDARY}; the same in our prototype"),
    }
    found = []
    for name, (genome, figures, source) in known.items():
        life = gestation(genome)._asdict()
        for figure, published in figures.items():
            measured = round(float(life[figure]), 6)
            found.append(Target(f"{name}: {figure}", float(published), measured, source, "exact"))
    return found


def _logic() -> list[Target]:
    solved = [task for task in TASKS if task_names(gestation(program(task)).tasks) == [task]]
    functions = np.bincount(TASK_OF_TABLE[TASK_OF_TABLE >= 0], minlength=len(TASKS)).tolist()
    return [
        Target(
            "hand-written programs that solve their task and no other",
            " ".join(TASKS),
            " ".join(solved),
            "truth tables of the nine tasks (Lenski et al. 2003)",
            "exact",
        ),
        Target(
            "functions of three inputs that solve each task",
            "3 3 3 6 3 6 3 3 3",
            " ".join(map(str, functions)),
            "counted: pairs of inputs, in two orders where the task tells them apart",
            "exact",
        ),
    ]


# ---------------------------------------------------------------- populations


class History(NamedTuple):
    """What is compared of one run.

    Attributes:
        generation: mean of the organisms at the end.
        births: per update, once the world is full.
        organisms: living after 100 and after 200 updates.
        seen: tasks that somebody solved at one of the looks.
    """

    generation: float
    births: float
    organisms: tuple[int, int]
    seen: frozenset[str]


def history(seed: int, *, updates: int = _UPDATES, **settings: Any) -> History:
    """Run one world of 20 × 20."""
    model = DigitalOrganisms(**{"rng": seed, "width": _SIDE, "height": _SIDE, "record": False, **settings})
    seen: set[str] = set()
    while model.tick < updates and model.running:
        model.step()
        if model.tick % _LOOK_EVERY == 0:
            seen |= {task for task in TASKS if model.solvers(task)}
    series = model.series()
    births, organisms = np.array(series["births"][_FULL + 1 :], float), series["organisms"]
    at = tuple(organisms[min(moment, len(organisms) - 1)] for moment in (100, 200))
    return History(model.time_gen, float(births.mean()) if len(births) else 0.0, (at[0], at[1]), frozenset(seen))


def _little_world() -> Target:
    found = [history(seed, updates=100, width=12, height=12).organisms[0] for seed in range(4)]
    return Target(
        "organisms after 100 updates (12 × 12, mean of 4 seeds)",
        61.8,
        float(np.mean(found)),
        f"{_AVIDA}, in 20 × 20, 30 seeds",
        low=45.0,
        high=78.0,
    )


def _populations() -> list[Target]:
    runs = [history(seed) for seed in range(_SEEDS)]
    conditions = f"({_SIDE} × {_SIDE}, {_UPDATES} updates, {_SEEDS} seeds)"
    figures: list[tuple[str, float, float, list[float]]] = [
        ("mean generation", 131.4, 22.9, [run.generation for run in runs]),
        ("births per update after update 200", 18.8, 1.8, [run.births for run in runs]),
        ("organisms after 100 updates", 61.8, 9.9, [run.organisms[0] for run in runs]),  # no spread given: ours
        ("organisms after 200 updates", 364.3, 20.5, [run.organisms[1] for run in runs]),
    ]
    found = []
    for name, published, spread, values in figures:
        error = 3 * spread * sqrt(2 / _SEEDS)
        low, high = round(published - error, 1), round(published + error, 1)
        measured = round(float(np.mean(values)), 2)
        found.append(Target(f"{name} {conditions}", published, measured, _AVIDA, low=low, high=high))
    for task, published_runs in (("NOT", 24), ("NAND", 15), ("ORN", 11)):
        count = sum(task in run.seen for run in runs)
        found.append(
            Target(
                f"runs that show {task} {conditions}",
                float(published_runs),
                float(count),
                _AVIDA,
                rule="Fisher's exact test does not tell them apart at .01",
                holds=_fisher(published_runs, count) >= 0.01,
            )
        )
    return found


def _fisher(first: int, second: int) -> float:
    from scipy.stats import fisher_exact

    table = [[first, _SEEDS - first], [second, _SEEDS - second]]
    return float(fisher_exact(table)[1])


def _large_world() -> Target:
    found = [history(seed, updates=200, width=60, height=60).organisms[1] for seed in range(10)]
    return Target(
        "organisms after 200 updates (60 × 60, mean of 10 seeds)",
        386.0,
        float(np.mean(found)),
        f"386 ± 29, {_SECONDARY}",
        low=357.0,
        high=415.0,
    )


# ---------------------------------------------------------------- niches


def effective_phenotypes(model: DigitalOrganisms) -> float:
    """exp of the entropy of task masks among the living: Hill number of order 1."""
    share = np.unique(model.facts(layout.PHENOTYPE), return_counts=True)[1] / model.alive.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def _diversity(inflow: float, seeds: Sequence[int]) -> float:
    found = []
    for seed in seeds:
        model = DigitalOrganisms(rng=seed, width=_SIDE, height=_SIDE, record=False, inflow=inflow)
        while model.tick < _NICHE_UPDATES:
            model.step()
        found.append(effective_phenotypes(model))
    return float(np.median(found))


def _niches() -> list[Target]:
    """Chow et al. (2004): richness peaks at intermediate inflow. Resources as in Cooper & Ofria (2002)."""
    scarce, middle, abundant = (_diversity(inflow, range(_NICHE_SEEDS)) for inflow in (0.16, 16.0, 1600.0))
    conditions = f"({_SIDE} × {_SIDE}, {_NICHE_UPDATES} updates, {_NICHE_SEEDS} seeds)"
    source = "Chow et al. 2004, Science 305:84 (abstract: single-peaked); the factor is ours, the prototype"
    return [
        Target(
            f"effective phenotypes, inflow 16 over inflow {name} {conditions}",
            "more than 1",
            round(middle / other, 2),
            f"{source}'s ratio {ratio}",
            low=1.5,
        )
        for name, other, ratio in (("0.16", scarce, 11.6), ("1600", abundant, 2.8))
    ]
