"""The gate's decisions from counts alone: who passes, who fails, and why."""

from __future__ import annotations

import numpy as np
import pytest

from evolora_mesa.config import GateConfig
from evolora_mesa.evolution.trial import Group, Trial, decide, draw_cells

GATE = GateConfig()
ALL = [Group.FOCUS, Group.SHALLOWER, Group.PANEL]


def trial(parents: int = 2, born: int = 0) -> Trial:
    """Parents at home in cells (1, 2) and (5,); cells 0 and 4 are shallower, 3 and 6 the rest of the world."""
    return Trial(
        child=9,
        slot=3,
        kind="merge" if parents == 2 else "mutation",
        operator="svd",
        parents=tuple(range(1, parents + 1)),
        rivals=tuple(range(1, parents + 1)),
        focus=(np.array([1, 2]), np.array([5]))[:parents],
        shallower=np.array([0, 4]),
        panel=np.array([3, 6]),
        account=0,
        born=born,
    )


def live(found: Trial, rng: np.random.Generator, chances: dict[int, tuple[float, ...]], prompts: int) -> None:
    """``chances`` by cell: success of the child, then of every rival; prompts from everywhere at once.

    On four of five prompts what is hard for one is hard for all, as with adapters of one host.
    """
    groups, cells = draw_cells(found, prompts, ALL, rng)
    alone = rng.random((1 + len(found.rivals), prompts))
    luck = np.where(rng.random(alone.shape) < 0.8, rng.random(prompts), alone)
    drawn = luck < np.array([chances[cell] for cell in cells.tolist()]).T
    found.absorb(groups, cells, drawn[0], drawn[1:])


def fate(found: Trial, rng: np.random.Generator, chances: dict[int, tuple[float, ...]], window: int = 32) -> str:
    for generation in range(1, GATE.probation + 1):
        live(found, rng, chances, window)
        decision = decide([found], generation, GATE)[0]
        if decision.verdict != "deferred":
            return decision.reason
    raise AssertionError("a trial ends with its probation")


def union(child: float, elsewhere: float = 0.3) -> dict[int, tuple[float, ...]]:
    """Two specialists: .8 at home, .25 at the other's; the child has ``child`` in both homes."""
    homes = {1: (child, 0.8, 0.25), 2: (child, 0.8, 0.25), 5: (child, 0.25, 0.8)}
    return {**homes, **dict.fromkeys((0, 3, 4, 6), (elsewhere, 0.3, 0.3))}


def fates(chances: dict[int, tuple[float, ...]], count: int = 40, parents: int = 2) -> list[str]:
    return [fate(trial(parents), np.random.default_rng(seed), chances) for seed in range(count)]


@pytest.mark.slow
def test_a_child_with_the_skills_of_both_parents_passes() -> None:
    reasons = fates(union(0.8))
    assert sum(reason in ("accepted", "confined") for reason in reasons) >= 34
    assert reasons.count("accepted") > 0


def test_a_child_that_is_worse_elsewhere_is_confined() -> None:
    found = fates({**union(0.8), 3: (0.0, 0.5, 0.5), 6: (0.0, 0.5, 0.5)})
    assert found.count("accepted") == 0
    assert found.count("confined") >= 34


@pytest.mark.slow
def test_a_child_that_has_lost_one_parents_skill_fails_although_it_gains_on_the_union() -> None:
    lost = {**union(0.95), 5: (0.5, 0.25, 0.8)}
    found = fates(lost)
    assert found.count("inferior_on_parents") >= 30
    assert found.count("accepted") + found.count("confined") <= 2


def test_a_child_that_is_worse_one_depth_shallower_fails() -> None:
    found = fates({**union(0.8), 0: (0.2, 0.9, 0.9), 4: (0.2, 0.9, 0.9)})
    assert found.count("panel_failed") >= 30


@pytest.mark.slow
def test_a_copy_is_futile() -> None:
    chances = dict.fromkeys(range(7), (0.6, 0.6))
    found = fates(chances, parents=1)
    assert sum(reason in ("accepted", "confined") for reason in found) <= 2
    assert found.count("futile") >= 20


@pytest.mark.slow
def test_the_better_parent_is_the_one_to_beat() -> None:
    """The second parent has .8 in both homes: a child as good as that gains nothing, whatever the first has."""
    chances = {1: (0.8, 0.4, 0.8), 2: (0.8, 0.4, 0.8), 5: (0.8, 0.4, 0.8), **dict.fromkeys((0, 3, 4, 6), (0.3,) * 3)}
    found = fates(chances)
    assert sum(reason in ("accepted", "confined") for reason in found) <= 3


def test_an_undecided_trial_ends_with_its_probation() -> None:
    found = trial()
    assert decide([found], GATE.probation - 1, GATE)[0].reason == "low_power"
    assert decide([found], GATE.probation, GATE)[0].reason == "probation_over"


def test_a_trial_without_a_prompt_has_no_uplift_and_no_evidence() -> None:
    decision = decide([trial()], 1, GATE)[0]
    assert np.isnan(decision.uplift)
    assert decision.log_e == 0.0
    assert (decision.low, decision.high) == (-1.0, 1.0)


def test_evidence_that_is_enough_alone_is_not_enough_beside_many_others() -> None:
    """e-BH: with ten open trials one e-value has to reach 10 / alpha."""
    alone, others = trial(1), [trial(1) for _ in range(9)]
    while decide([alone], 1, GATE)[0].log_e < np.log(1.2 / GATE.alpha):
        alone.counts[0, 0] += [1, 0, 0]
        alone.counts[0, 1:] = [[0, 400, 0]] * 3
        alone.prompts[Group.FOCUS] += 1
    assert decide([alone], 1, GATE)[0].verdict == "accepted"
    assert decide([alone, *others], 1, GATE)[0].verdict == "deferred"


def test_prompts_come_from_where_something_is_still_open() -> None:
    found = trial()
    rng = np.random.default_rng(0)
    groups, cells = draw_cells(found, 4000, ALL, rng)
    share = np.bincount(groups) / 4000
    np.testing.assert_allclose(share, [0.5, 0.25, 0.25], atol=0.03)
    home = cells[groups == Group.FOCUS]
    np.testing.assert_allclose((home == 5).mean(), 0.5, atol=0.04)  # either parent's cells as often
    assert set(cells[groups == Group.SHALLOWER].tolist()) == {0, 4}
    assert set(cells[groups == Group.PANEL].tolist()) == {3, 6}
    assert found.needs(1, GATE) == ALL
    found.counts[:, 2:] = [0, 400, 0]  # shown to be harmless
    assert found.needs(1, GATE) == [Group.FOCUS]


def test_wins_ties_and_losses_are_the_childs() -> None:
    found = trial()
    groups = np.array([Group.FOCUS, Group.FOCUS, Group.PANEL])
    found.absorb(
        groups,
        np.array([1, 5, 3]),
        np.array([True, False, True]),
        np.array([[False, False, True], [True, True, False]]),
    )
    better, own, shallower, panel = (found.counts[:, test].tolist() for test in range(4))
    assert better == [[1, 1, 0], [0, 1, 1]]
    assert own == [[1, 0, 0], [0, 0, 1]]  # the first parent in cell 1, the second in cell 5
    assert shallower == [[0, 0, 0], [0, 0, 0]]
    assert panel == [[0, 1, 0], [1, 0, 0]]
    assert found.uplift == pytest.approx(-0.5)
