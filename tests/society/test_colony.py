"""A colony's evidence and its state; what an audition needs to pass."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa.config_evolution import GateConfig
from evolora_mesa.config_society import ColoniesConfig
from evolora_mesa.society.colony import Audition, Colony, Counts, Lesson
from evolora_mesa.society.colony_gate import Verdict, decide

GATE, SETTINGS = GateConfig(), ColoniesConfig()


def colony() -> Colony:
    return Colony(number=3, members=[4, 7], mode="vote", cells=[0, 5], pot=11, born=2)


def verdict(counts: Counts, *, adapter: int | None = None, tokens: tuple[int, int] = (100, 100)) -> Verdict:
    audition = Audition("founding" if adapter is None else "fused", 1, adapter=adapter, counts=counts)
    audition.tokens = list(tokens)
    return decide([audition], 2, GATE, SETTINGS)[0]


def outcomes(wins: int, ties: int, losses: int) -> tuple[np.ndarray, np.ndarray]:
    ours = np.array([True] * wins + [True] * ties + [False] * losses)
    theirs = np.array([False] * wins + [True] * ties + [True] * losses)
    return ours, theirs


def test_counts_are_of_prompts_where_the_sides_differ() -> None:
    counts = Counts()
    counts.add(*outcomes(3, 4, 1))
    assert (counts.wins, counts.ties, counts.losses) == (3, 4, 1)
    assert counts.uplift == pytest.approx(0.25)
    assert np.isnan(Counts().uplift)


def test_a_team_that_is_clearly_better_passes_and_one_that_is_no_better_does_not() -> None:
    assert verdict(Counts(20, 10, 1)) == Verdict(True, "accepted")
    assert verdict(Counts(3, 10, 3)) == Verdict(None, "low_power")
    assert verdict(Counts(5, 200, 5)) == Verdict(False, "futile")
    assert verdict(Counts(60, 150, 60)).passed is False


def test_a_team_may_not_pass_for_being_no_worse() -> None:
    assert verdict(Counts(2, 150, 2), tokens=(50, 100)).passed is not True


def test_one_adapter_passes_when_it_is_no_worse_and_cheaper_only() -> None:
    assert verdict(Counts(2, 80, 2), adapter=5, tokens=(50, 100)) == Verdict(True, "accepted")
    assert verdict(Counts(2, 80, 2), adapter=5, tokens=(100, 100)).passed is None
    assert verdict(Counts(1, 30, 30), adapter=5, tokens=(50, 100)) == Verdict(False, "worse")


def test_an_audition_ends_undecided_when_its_time_is_over() -> None:
    audition = Audition("founding", 1, counts=Counts(3, 3, 3))
    assert decide([audition], 1 + SETTINGS.probation, GATE, SETTINGS)[0] == Verdict(False, "probation_over")
    assert decide([], 5, GATE, SETTINGS) == []


def test_many_auditions_at_once_need_more_evidence_each() -> None:
    lone = [Audition("founding", 1, counts=Counts(9, 0, 0))]
    crowd = lone + [Audition("founding", 1) for _ in range(9)]
    assert decide(lone, 2, GATE, SETTINGS)[0].passed
    assert not decide(crowd, 2, GATE, SETTINGS)[0].passed


def test_a_good_past_does_not_hide_that_a_colony_has_become_worse() -> None:
    ours = colony()
    ours.weigh(*outcomes(500, 0, 0))
    assert ours.against.total == 0
    for _ in range(10):
        ours.weigh(*outcomes(0, 1, 2))
    assert ours.against.log_worse() > np.log(1 / SETTINGS.doubt)


def test_a_colony_as_good_as_its_best_member_is_seldom_thought_worse() -> None:
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(40):
        ours = colony()
        for _ in range(50):
            coin = rng.random(2) < 0.5
            ours.weigh(coin, ~coin)
            if ours.against.log_worse() >= np.log(1 / SETTINGS.doubt):
                alarms += 1
                break
    assert alarms <= 12  # of 40 colonies, in 50 generations each


def test_contributions_are_to_the_team_that_there_is() -> None:
    ours = colony()
    ours.members = [1, 2, 3]
    ours.without = {1: Counts(1, 2, 3), 2: Counts(), 3: Counts()}
    ours.leave(2)
    assert ours.members == [1, 3] and ours.without == {}


numbers = st.integers(0, 1000)
counted = st.builds(Counts, numbers, numbers, numbers)


@given(counted, counted, st.none() | st.builds(Audition, st.sampled_from(["founding", "fused"]), numbers), numbers)
def test_a_colony_comes_back_from_json_as_it_was(
    against: Counts, helped: Counts, audition: Audition | None, tasks: int
) -> None:
    ours = colony()
    ours.against, ours.without, ours.audition, ours.tasks = against, {4: helped}, audition, tasks
    ours.paid_in = {4: 1.5, 7: 0.25}
    ours.lessons = [Lesson([1, 2], [3])]
    state = json.loads(json.dumps(ours.state_dict()))
    again = Colony.from_state(state)
    assert again.state_dict() == ours.state_dict()
    assert again.paid_in == ours.paid_in and again.without == ours.without and again.lessons == ours.lessons


def test_a_saved_colony_shares_nothing_with_the_living_one() -> None:
    ours = colony()
    ours.audition = Audition("founding", 1)
    ours.lessons = [Lesson([1], [2])]
    before = json.dumps(state := ours.state_dict())
    ours.audition.right[0] += 1
    ours.members.append(9)
    ours.lessons[0].prompt.append(3)
    assert json.dumps(state) == before
