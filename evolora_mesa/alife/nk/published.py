"""What is known of NK landscapes and of evolution on them: closed forms, and the figures of the MODES paper.

Dolson, Vostinar, Wiser & Ofria (2019) print figures, not numbers, so what is published here was read off them, ± 0.02:
means of 30 runs of 5,000 generations at their ends. Ours are means of fewer and shorter runs over their last two
thirds. Novelty falls with the length of a run, so it is reported and cannot fail. The treatments with a large
population and with a long genome can be run, but are not among the targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.alife.history import History
from evolora_mesa.alife.interface import Target
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics import late
from evolora_mesa.alife.metrics.modes import Modes, modes
from evolora_mesa.alife.nk.landscape import Landscape
from evolora_mesa.alife.nk.model import NKWorld

__all__ = ["PATTERN", "Score", "scores", "targets"]

_KAUFFMAN: Final = "Kauffman & Levin 1987, closed form"
_DOLSON: Final = "Dolson et al. 2019, the MODES paper, read off a figure"
_OURS: Final = "ours; the paper has no such treatment"
_RESOLUTION: Final = 10  # generations between two looks, as in the paper
_BAND: Final = "our band, wider than the reading error, set after runs of ours had been seen"
_QUICK: Final = ("base", "high mutation", "sharing", "random")


class Score(NamedTuple):
    """The four MODES of skeletons, means over the last two thirds of a run."""

    change: float
    novelty: float
    complexity: float
    ecology: float


class _Band(NamedTuple):
    published: float | None
    low: float | None = None
    high: float | None = None


# By treatment: change, novelty, complexity, ecology. Of N = 20 sites all can be informative.
PATTERN: Final[Mapping[str, tuple[_Band, _Band, _Band, _Band]]] = {
    "base": (_Band(0.10, 0.0, 0.25), _Band(0.03), _Band(19.9, 19.4, 20.0), _Band(0.03, 0.0, 0.15)),
    "low mutation": (_Band(0.0, 0.0, 0.05), _Band(0.0), _Band(20.0, 19.8, 20.0), _Band(0.0, 0.0, 0.05)),
    "high mutation": (_Band(0.90, 0.65, 1.3), _Band(0.33), _Band(17.3, 16.0, 18.6), _Band(0.03, 0.0, 0.2)),
    "small population": (_Band(0.43, 0.2, 0.65), _Band(0.07), _Band(19.7, 19.0, 20.0), _Band(0.03, 0.0, 0.15)),
    "k10": (_Band(0.07, 0.0, 0.3), _Band(0.0), _Band(20.0, 19.4, 20.0), _Band(0.0, 0.0, 0.15)),
    "oscillating": (_Band(0.07, 0.0, 0.3), _Band(0.0), _Band(20.0, 19.0, 20.0), _Band(0.0, 0.0, 0.15)),
    "sharing": (_Band(0.73, 0.25, 1.0), _Band(0.0), _Band(20.0, 19.7, 20.0), _Band(0.94, 0.6, 1.6)),
    "random": (_Band(None, 1.5), _Band(None), _Band(None, None, 14.0), _Band(None)),
}


def targets(*, quick: bool) -> list[Target]:
    """Closed forms and every treatment: 10 runs of 2,000 generations; ``quick``: four treatments, 1 run of 1,000."""
    names, seeds, generations = (_QUICK, 1, 1000) if quick else (tuple(PATTERN), 10, 2000)
    found = _closed_forms()
    for name in names:
        runs = [scores(name, seed=seed, generations=generations) for seed in range(seeds)]
        found += _treatment(name, np.mean(runs, axis=0), f"{seeds} × {generations} generations")
    return found


def scores(name: str, *, seed: int, generations: int) -> Score:
    """A run of a treatment, measured as in the paper: components are skeletons, the filter is the population."""
    model = NKWorld.treatment(name, rng=seed, snapshot_every=generations)
    for _ in range(generations):
        model.step()
    log = model.log.close()
    found = modes(History.of(log, "pheno"), filter=model.population, resolution=_RESOLUTION)
    if found is None:
        return Score(*[float("nan")] * 4)
    series = (found.change, found.novelty, _skeleton_complexity(log, found), found.ecology)
    return Score(*[float("nan") if (value := late(one)) is None else value for one in series])


def _skeleton_complexity(log: EventLog, found: Modes) -> np.ndarray:
    """``(moments,)`` sites of the longest persistent skeleton; nan where nothing persists."""
    sites = np.array([len(key) - key.count(b"-") for key in log.keys("pheno") if isinstance(key, bytes)], float)
    longest = np.full(len(found.time), -np.inf)
    np.maximum.at(longest, found.place, sites[found.component])
    return np.where(np.isfinite(longest), longest, np.nan)


def _treatment(name: str, score: np.ndarray, runs: str) -> list[Target]:
    return [
        Target(
            name=f"{name}: {metric} ({runs})",
            published=band.published,
            measured=float(value),
            source=_OURS if band.published is None else _DOLSON,
            kind="report" if band.low is band.high is None else "threshold",
            low=band.low,
            high=band.high,
            rule="" if band.low is band.high is None else _BAND,
        )
        for metric, band, value in zip(Score._fields, PATTERN[name], score, strict=True)
    ]


def _closed_forms() -> list[Target]:
    rng = np.random.default_rng(1987)
    smooth = [Landscape(10, 0, rng) for _ in range(500)]
    optima = [landscape.optima() for landscape in smooth]
    best = [float(landscape.fitness(peaks).max()) for landscape, peaks in zip(smooth, optima, strict=True)]
    rugged = np.array([len(Landscape(10, 9, rng).optima()) for _ in range(200)])
    climber = NKWorld(epistasis=0, mutation=0.01, record=False)
    for _ in range(200):
        climber.step()
    summit = float(climber.landscape.table.max(axis=1).mean())
    slack = 4 * float(np.sqrt(1 / 18 / 10 / 500))  # standard errors: a contribution's maximum has variance 1/18
    error = 4 * float(rugged.std() / np.sqrt(len(rugged)))
    expected = 2**10 / 11
    return [
        Target("K = 0: most optima of 500 landscapes", 1.0, float(max(map(len, optima))), _KAUFFMAN, "exact", 1.0, 1.0),
        Target(
            "K = 0: mean fitness of the optimum",
            2 / 3,
            float(np.mean(best)),
            _KAUFFMAN,
            "threshold",
            2 / 3 - slack,
            2 / 3 + slack,
            "within 4 standard errors",
        ),
        Target(
            "K = 0: fitness that selection misses the optimum by",
            0.0,
            round(summit - float(climber.fitness.max()), 12),
            "follows from the above: no local optima to be caught in",
            "exact",
            0.0,
            0.0,
        ),
        Target(
            "K = N - 1 = 9: optima, mean of 200 landscapes",
            expected,
            float(rugged.mean()),
            _KAUFFMAN,
            "threshold",
            expected - error,
            expected + error,
            "2 ** N / (N + 1) within 4 standard errors",
        ),
    ]
