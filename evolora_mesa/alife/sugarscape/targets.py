"""What the book reports of its sugarscape, measured now."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import numpy as np

from evolora_mesa.alife.interface import Target
from evolora_mesa.alife.sugarscape.landscape import capacity
from evolora_mesa.alife.sugarscape.model import Sugarscape

__all__ = ["targets"]

_BOOK: Final = "Epstein & Axtell 1996"
_RECALLED: Final = f"{_BOOK}, from memory of the text: check before printing it elsewhere"
_VISIONS: Final = (1, 2, 4, 6, 10)
_USUAL: Final = 6
_WORDS: Final = "the book's chapters II and III, from memory, and NetLogo's information tab, read; in words"


def targets(*, quick: bool) -> list[Target]:
    """Measure with 2 seeds when ``quick``, otherwise with 10 and for longer."""
    if quick:
        return [_ground(), *_capacity(2, 120), *_inequality(2, 200), *_sexual(2, 120)]
    return [_ground(), *_capacity(10, 500), *_inequality(10, 500), *_sexual(10, 500)]


def _ground() -> Target:
    total = float(capacity().sum())
    return Target("sugar that the map holds", 4622.0, total, "the map in Mesa and NetLogo, read", "exact")


def _capacity(seeds: int, ticks: int) -> list[Target]:
    """Rules G1, M: how many can live, how that depends on vision, and who is left."""
    by_most = {most: [_run(seed, ticks, rules="M", vision_max=most) for seed in range(seeds)] for most in _VISIONS}
    by_vision = [float(np.mean([run["foragers"][-1] for run in runs])) for runs in by_most.values()]
    vision, metabolism = (_ends(by_most[_USUAL], name) for name in ("vision", "metabolism"))
    return [
        Target(
            "carrying capacity from 400 agents, rules M",
            224.0,
            round(by_vision[_VISIONS.index(_USUAL)], 1),
            _RECALLED,
            low=201.0,
            high=247.0,
            rule="within 10 %",
        ),
        _rise("mean vision under rules M", vision),
        _fall("mean metabolism under rules M", metabolism),
        Target(
            f"carrying capacity at greatest vision {', '.join(map(str, _VISIONS))}",
            "rises",
            ", ".join(f"{number:.0f}" for number in by_vision),
            f"{_BOOK}, figure II-5, from memory",
            rule="vision 10 above 4 above 1, and no fall by more than 3 %, which is our allowance for noise",
            holds=by_vision[0] < by_vision[2] < by_vision[4]
            and all(after > 0.97 * before for before, after in pairwise(by_vision)),
        ),
    ]


def _inequality(seeds: int, ticks: int) -> list[Target]:
    """Rules G1, M, R[60,100] with 250 agents: inequality grows by itself."""
    runs = [_run(seed, ticks, rules="R", agents=250) for seed in range(seeds)]
    first = float(np.mean([run["wealth_gini"][0] for run in runs]))
    last = float(np.mean([np.mean(run["wealth_gini"][-100:]) for run in runs]))
    return [
        Target(
            "Gini of sugar at the start, rules R",
            0.230,
            round(first, 3),
            _RECALLED,
            low=0.207,
            high=0.253,
            rule="within 10 %",
        ),
        Target(
            f"Gini of sugar, mean of the last 100 of {ticks} ticks, rules R",
            0.503,
            round(last, 3),
            _RECALLED,
            low=0.453,
            high=0.553,
            rule="within 10 %",
        ),
    ]


def _sexual(seeds: int, ticks: int) -> list[Target]:
    """Rules G1, M, S: genes evolve without anybody choosing."""
    runs = [_run(seed, ticks, rules="S") for seed in range(seeds)]
    vision, metabolism = (_ends(runs, name) for name in ("vision", "metabolism"))
    lives = min(run["foragers"][-1] for run in runs)
    return [
        Target("foragers left under rules S, fewest", "persists", lives, _RECALLED, low=1.0),
        _rise("mean vision under rules S", vision),
        _fall("mean metabolism under rules S", metabolism),
    ]


def _ends(runs: list[dict[str, list[Any]]], name: str) -> tuple[float, float]:
    """Mean of a series' first and last values."""
    first, last = (float(np.mean([run[name][at] for run in runs])) for at in (0, -1))
    return first, last


def _rise(name: str, ends: tuple[float, float]) -> Target:
    return Target(
        name,
        "rises",
        f"{ends[0]:.2f} to {ends[1]:.2f}",
        _WORDS,
        rule="by more than 0.1, which is ours: published in words",
        holds=ends[1] > ends[0] + 0.1,
    )


def _fall(name: str, ends: tuple[float, float]) -> Target:
    return Target(
        name,
        "falls",
        f"{ends[0]:.2f} to {ends[1]:.2f}",
        _WORDS,
        rule="by more than 0.3, which is ours: published in words",
        holds=ends[1] < ends[0] - 0.3,
    )


def _run(seed: int, ticks: int, **parameters: Any) -> dict[str, list[Any]]:
    """Series of a run."""
    model = Sugarscape(rng=seed, record=False, **parameters)
    for _ in range(ticks):
        model.step()
    return model.series()
