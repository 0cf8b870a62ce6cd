"""What the model must do: persist with grass, collapse without it, oscillate with the wolves behind the sheep.

NetLogo publishes the behaviour in words only ("generally stable", "ultimately unstable"), no figures; those here are
our own of an earlier, independent program, of 20 runs each. So this is no replication of published numbers.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.interface import Target
from evolora_mesa.alife.wolf_sheep.herd import SHEEP, WOLVES
from evolora_mesa.alife.wolf_sheep.model import WolfSheep

__all__ = ["lag", "period", "population", "targets"]

_TICKS: Final = 1000
_SETTLED: Final = 200  # ticks until the founders are forgotten
_LONGEST: Final = 400  # ticks; a slower wave is no oscillation of 800 ticks
_WORDS: Final = "Wilensky 1997, NetLogo's information tab, read; it prints no figures"
_SPREAD: Final = "within two standard deviations of single runs of that program"
_OURS: Final = "our own program of before, 20 seeds; not published"


def targets(*, quick: bool) -> list[Target]:
    """Measure with 3 seeds when ``quick``, otherwise with 20."""
    seeds = range(3 if quick else 20)
    living = [population(seed, grass=True) for seed in seeds]
    stable = [run for run in living if len(run) == _TICKS + 1]
    settled = [run[_SETTLED:] for run in stable]
    starving = [len(population(seed, grass=False)) == _TICKS + 1 for seed in seeds]
    return [
        _threshold(
            "runs of 1,000 ticks that persist with grass, share",
            1.0,
            len(stable) / len(seeds),
            0.95,
            1.0,
            "1 of 20 may die out",
        ),
        Target(
            "runs of 1,000 ticks that persist without grass, share",
            "ultimately unstable",
            sum(starving) / len(seeds),
            _WORDS,
            high=0.0,
        ),
        _threshold(
            "mean number of sheep with grass",
            162.0,
            _mean(settled, lambda run: run[:, SHEEP].mean()),
            146,
            178,
            "within 10 %",
        ),
        _threshold(
            "mean number of wolves with grass",
            80.0,
            _mean(settled, lambda run: run[:, WOLVES].mean()),
            64,
            96,
            "within 20 %",
        ),
        _threshold(
            "period of the sheep, ticks", 167.0, _mean(settled, lambda run: period(run[:, SHEEP])), 97, 237, _SPREAD
        ),
        _threshold("wolves behind the sheep, ticks", 51.0, _mean(settled, lag), 33, 69, _SPREAD),
    ]


def population(seed: int, *, grass: bool, **parameters: Any) -> NDArray[np.float64]:
    """Sheep and wolves ``(ticks + 1, 2)`` until 1,000 ticks are over, a species is gone, or sheep are everywhere."""
    model = WolfSheep(rng=seed, record=False, grass=grass, **parameters)
    while model.tick < _TICKS and model.running and all(herd.shape[1] for herd in model.herds):
        model.step()
    series = model.series()
    return np.stack([series["sheep"], series["wolves"]], axis=1).astype(float)


def period(series: NDArray[np.float64]) -> float:
    """Ticks of the strongest wave of ``(ticks,)``, by the periodogram under a Hann window."""
    wave = (series - series.mean()) * np.hanning(len(series))
    points = 8 * len(series)  # zeros behind it, for a finer scale
    power = np.abs(np.fft.rfft(wave, points)) ** 2
    frequency = np.fft.rfftfreq(points)
    return float(1 / frequency[np.argmax(power * (frequency > 1 / _LONGEST))])


def lag(run: NDArray[np.float64], *, most: int = 120) -> float:
    """Ticks by which the wolves of ``(ticks, 2)`` follow the sheep, where both correlate best."""
    sheep, wolves = run[:, SHEEP], run[:, WOLVES]
    return float(np.argmax([np.corrcoef(sheep[: len(sheep) - ticks], wolves[ticks:])[0, 1] for ticks in range(most)]))


def _mean(runs: list[NDArray[np.float64]], of: Any) -> float:
    return float(np.mean([of(run) for run in runs])) if runs else float("nan")


def _threshold(name: str, published: float, measured: float, low: float, high: float, rule: str) -> Target:
    source = f"{_OURS}; {_WORDS}" if "persist" in name else _OURS
    return Target(name, published, round(measured, 3), source, low=low, high=high, rule=f"{rule}; our band")
