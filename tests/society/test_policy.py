"""A policy is read only when it is one, to the letter; and a constrained host can write nothing else."""

from __future__ import annotations

import json
import math
import sys
from itertools import product

import pytest
from hostile_policies import BOUNDS, CELLS, FAMILIES, GOOD, HOSTILE, written
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.host import HostService, Request
from evolora_mesa.society.policy import NEUTRAL, Bounds, named_cells, parse_policy, policy_chain, policy_prompt

LARGEST = sys.float_info.max  # a whole number beyond it is none that a policy can have


def parse(text: str) -> object:
    return parse_policy(text, BOUNDS)


# ---------------------------------------------------------------- reading


def test_a_policy_is_read_as_it_was_meant() -> None:
    policy = parse_policy('{"c":"math:2","b":0.5,"k":1.5,"r":true,"p":false,"m":"far"}', BOUNDS)
    assert policy is not None
    assert policy.model_dump() == {
        "cell": "math:2",
        "budget": 0.5,
        "reserve": 1.5,
        "reads": True,
        "posts": False,
        "partner": "far",
    }


@pytest.mark.parametrize("text", [f"  {written()} ", json.dumps(GOOD, indent=1), written(b=1, k=0)])
def test_spaces_and_whole_numbers_do_no_harm(text: str) -> None:
    assert parse(text) is not None


@pytest.mark.parametrize(
    ("given", "budget", "reserve"),
    [
        ({"b": 1.5, "k": 99}, 1.0, 2.0),
        ({"b": -3, "k": -0.5}, 0.0, 0.0),
        ({"b": -0.0, "k": -0.0}, 0.0, 0.0),
        ({"b": 1e300, "k": 1e-300}, 1.0, 1e-300),
    ],
)
def test_numbers_beyond_their_range_are_taken_for_its_end(
    given: dict[str, float], budget: float, reserve: float
) -> None:
    policy = parse_policy(written(**given), BOUNDS)
    assert policy is not None and (policy.budget, policy.reserve) == (budget, reserve)
    assert math.copysign(1, policy.budget) == math.copysign(1, policy.reserve) == 1


def test_there_are_forty_hostile_strings() -> None:
    assert len(HOSTILE) == len(set(HOSTILE.values())) == 40


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_string_is_no_policy(name: str) -> None:
    assert parse(HOSTILE[name]) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([*CELLS, "any", "near", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@given(text=st.text() | st.dictionaries(st.sampled_from(list(GOOD)), JSON).map(json.dumps))
@settings(deadline=None)
def test_whatever_is_read_is_within_its_range(text: str) -> None:
    policy = parse_policy(text, BOUNDS)
    if policy is not None:
        assert 0 <= policy.budget <= 1 and 0 <= policy.reserve <= BOUNDS.most_reserve
        assert policy.cell in ("any", *CELLS) and policy.partner in ("any", "near", "far")
        assert type(policy.reads) is type(policy.posts) is bool


@given(changes=st.fixed_dictionaries({}, optional=dict.fromkeys(GOOD, JSON)))
@settings(deadline=None)
def test_a_wrong_value_anywhere_spoils_all_of_it(changes: dict[str, object]) -> None:
    right = {
        "c": lambda value: isinstance(value, str) and value in ("any", *CELLS),
        "b": lambda value: type(value) in (int, float) and abs(value) <= LARGEST,
        "k": lambda value: type(value) in (int, float) and abs(value) <= LARGEST,
        "r": lambda value: type(value) is bool,
        "p": lambda value: type(value) is bool,
        "m": lambda value: isinstance(value, str) and value in ("any", "near", "far"),
    }
    text = json.dumps({**GOOD, **changes})
    fine = all(right[key](value) for key, value in changes.items()) and len(text) <= 128
    assert (parse(text) is not None) == fine


# ---------------------------------------------------------------- writing


def test_every_word_of_the_language_is_a_policy_and_the_neutral_one_is_among_them() -> None:
    chain = policy_chain(BOUNDS)
    short = [link[:2] + link[-1:] for link in chain]
    texts = set(map("".join, product(*short)))
    assert all(parse(text) is not None for text in texts)
    assert parse("".join(link[-1] if "1.0" in link else link[0] for link in chain)) is not None
    assert json.dumps(NEUTRAL.model_dump(by_alias=True), separators=(",", ":")) in {
        "".join(choice) for choice in product(*([link[0], link[-1]] if "1.0" in link else link[:1] for link in chain))
    }


@pytest.mark.parametrize(("least", "shown"), [(0.0, 11), (0.25, 8), (0.3, 8), (1.0, 1), (0.97, 1)])
def test_the_smallest_budget_binds_what_is_read_and_what_can_be_written(least: float, shown: int) -> None:
    bounds = Bounds(CELLS, least)
    policy = parse_policy(written(b=0.0), bounds)
    assert policy is not None and policy.budget == least
    budgets = policy_chain(bounds)[3]
    assert len(budgets) == shown and float(budgets[0]) >= least and budgets[-1] == "1.0"


@pytest.mark.parametrize("most", [0.0, 0.3, 2.0, 10.0])
def test_the_language_reaches_the_largest_reserve(most: float) -> None:
    reserves = policy_chain(Bounds(CELLS, 0.0, most))[5]
    assert float(reserves[0]) == 0 and float(reserves[-1]) == most
    assert len(reserves) == round(10 * most) + 1


def test_a_constrained_host_writes_policies_of_every_kind(petri: HostService) -> None:
    guide = petri.guide(policy_chain(BOUNDS))
    prompt = policy_prompt(3.2, [("math:2", 0.61)], example=False)
    answers = petri.answer(
        [Request(0, prompt, key, guided=True) for key in range(64)],
        temperature=1.0,
        max_new_tokens=guide.longest,
        guide=guide,
    )
    policies = [parse_policy(text, BOUNDS) for text in answers.texts]
    assert None not in policies
    assert len({policy for policy in policies}) > 16


def test_a_prompt_shows_energy_and_the_best_cells_and_an_example_that_can_be_read() -> None:
    best = [("math:2", 0.61), ("logic:1", 0.4)]
    assert policy_prompt(3.24, best, example=False) == "Policy: energy 3.2, math:2 0.61, logic:1 0.40\nAnswer:"
    example = policy_prompt(3.24, [], example=True).removeprefix("Policy as ").removesuffix(": energy 3.2\nAnswer:")
    assert parse(example) == NEUTRAL


def test_names_stand_for_cells() -> None:
    named = named_cells(FAMILIES, 2)
    assert list(named) == CELLS
    assert named["math"].tolist() == [[True, True], [False, False]]
    assert named["logic:2"].tolist() == [[False, False], [False, True]]
