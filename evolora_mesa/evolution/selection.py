"""Who may reproduce: policies that can be exchanged for one another.

Selection by energy is the ecology's own: who earns more than he spends has children. The others are there to compare
it with; `random` is the control that selects nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np

from evolora_mesa.errors import ConfigError

__all__ = [
    "SELECTIONS",
    "Energy",
    "FitnessSharing",
    "Lexicase",
    "Random",
    "Rank",
    "Selection",
    "Standing",
    "Tournament",
    "make_selection",
]

_CONTESTANTS: Final = 3
_BEST_OVER_MEAN: Final = 1.5  # chance of the richest over that of the median; 1 is no selection, 2 the most there is
_ROUNDING: Final = 9  # decimals of a niche count: organelles that do the same work shall have the same


@dataclass(frozen=True)
class Standing:
    """What is known of those who could reproduce.

    Attributes:
        energy: ``[n]``, from 0.
        success: ``[n, cells]`` mean belief, in [0, 1].
        share: ``[n, cells]`` share of an organelle's work; a row sums to 1, or to 0 if it has not worked.
        lineage: ``[n]``.
    """

    energy: np.ndarray
    success: np.ndarray
    share: np.ndarray
    lineage: np.ndarray


class Selection(Protocol):
    """A policy. It keeps no state: all chance is in ``rng``."""

    def choose(self, standing: Standing, count: int, rng: np.random.Generator) -> np.ndarray:
        """Places in ``standing`` of ``count`` different parents, or of all if there are fewer, first chosen first."""


class Energy:
    """The richest; of equals the first."""

    def choose(self, standing: Standing, count: int, rng: np.random.Generator) -> np.ndarray:
        return _richest(standing.energy, count)


class Tournament:
    """The richest of three drawn at random, again for every parent: Brindle (1981); of equals the first drawn."""

    def choose(self, standing: Standing, count: int, rng: np.random.Generator) -> np.ndarray:
        left = np.arange(len(standing.energy))
        chosen = []
        for _ in range(min(count, len(left))):
            drawn = rng.permutation(left)[:_CONTESTANTS]
            chosen.append(int(drawn[standing.energy[drawn].argmax()]))
            left = left[left != chosen[-1]]
        return np.array(chosen, dtype=np.int64)


class Rank:
    """Chances linear in the rank of energy: Baker, "Adaptive selection methods for genetic algorithms" (1985).

    Equals have equal ranks.
    """

    def choose(self, standing: Standing, count: int, rng: np.random.Generator) -> np.ndarray:
        ordered = np.sort(standing.energy)
        poorer = np.searchsorted(ordered, standing.energy, "left")
        not_richer = np.searchsorted(ordered, standing.energy, "right")
        rank = (poorer + not_richer) / 2 / max(len(ordered), 1)  # (0, 1), 1/2 for the median
        chance = 1 + (_BEST_OVER_MEAN - 1) * (2 * rank - 1)  # times 1 / n
        # The first of n exponential clocks is i with a chance in proportion to its rate, and so on without it.
        return _richest(-rng.exponential(size=len(chance)) / chance, count)


class Lexicase:
    """Whoever is left after one cell after another has sent home all that are not about as good as the best in it.

    Epsilon-lexicase, semi-dynamic: La Cava et al., "A probabilistic and multi-objective analysis of lexicase selection
    and ε-lexicase selection" (2019), after La Cava, Spector and Danai (2016). Epsilon is the median absolute deviation
    from the median of a cell. The order of the cells is drawn for every parent, so a specialist wins whenever its cell
    comes early. Cells where nobody works do not count: all that is believed of them is hearsay.
    """

    def choose(self, standing: Standing, count: int, rng: np.random.Generator) -> np.ndarray:
        success = standing.success[:, standing.share.any(0)]  # [n, cells]
        left = np.arange(len(success))
        spread = np.median(np.abs(success - np.median(success, 0)), 0) if left.size else np.zeros(success.shape[1])
        chosen = []
        for _ in range(min(count, len(left))):
            pool = left
            for cell in rng.permutation(success.shape[1]):
                here = success[pool, cell]
                pool = pool[here >= here.max() - spread[cell]]
                if len(pool) == 1:
                    break
            chosen.append(int(rng.choice(pool)))
            left = left[left != chosen[-1]]
        return np.array(chosen, dtype=np.int64)


class FitnessSharing:
    """The richest after everybody's energy is divided by how many do the same work; of equals the first.

    Goldberg and Richardson, "Genetic algorithms with sharing for multimodal function optimization" (1987), with the
    triangular sharing function on the distance between two organelles: half the sum of the absolute differences of
    their shares of work, in [0, 1]. One less that distance is the work they have in common, ``sum(min(share, share))``.
    Having no work is a kind of work here.
    """

    def choose(self, standing: Standing, count: int, rng: np.random.Generator) -> np.ndarray:
        idle = np.clip(1 - standing.share.sum(1, keepdims=True), 0, 1)
        return _richest(standing.energy / _niche_count(np.concatenate([standing.share, idle], 1)), count)


class Random:
    """Anybody, with equal chances: the control of a neutral world."""

    def choose(self, standing: Standing, count: int, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(len(standing.energy))[:count]


def _richest(merit: np.ndarray, count: int) -> np.ndarray:
    return np.argsort(-merit, kind="stable")[:count]


def _niche_count(share: np.ndarray) -> np.ndarray:
    """``[n]`` the work that each has in common with all, itself included, summed: from 1 to n.

    In the order of a cell's shares, ``sum_j min(share_i, share_j)`` is the sum of those up to i, and i's own once for
    everybody above: n log n steps where pairs would take n².
    """
    order = np.argsort(share, axis=0, kind="stable")
    ranked = np.take_along_axis(share, order, 0)
    above = np.arange(len(share))[::-1, None]
    common = np.empty_like(ranked)
    np.put_along_axis(common, order, np.cumsum(ranked, 0) + ranked * above, 0)
    return np.maximum(common.sum(1).round(_ROUNDING), 1.0)


_POLICIES: Final[Mapping[str, tuple[type[Selection], str]]] = MappingProxyType(
    {
        "energy": (Energy, "the richest"),
        "tournament": (Tournament, "the richest of three drawn at random"),
        "rank": (Rank, "drawn with chances linear in the rank of energy"),
        "lexicase": (Lexicase, "the best in cells taken in random order, so that specialists count"),
        "fitness_sharing": (FitnessSharing, "the richest after energy is shared among those that do the same work"),
        "random": (Random, "anybody: the control that does not select"),
    }
)
SELECTIONS: Final[Mapping[str, str]] = MappingProxyType({name: line for name, (_, line) in _POLICIES.items()})


def make_selection(name: str) -> Selection:
    """The policy of that name, one of `SELECTIONS`.

    Raises:
        ConfigError: there is none.
    """
    if name not in _POLICIES:
        raise ConfigError("unknown selection", where="reproduction.selection", expected=", ".join(SELECTIONS), got=name)
    return _POLICIES[name][0]()
