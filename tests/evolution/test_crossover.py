"""Crossover takes whole parts of ΔW from two parents."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from family import NAMES, SITES, apart, change, made_bank, padding_is_zero, regauge, seeded, slots_for

from evolora_mesa.errors import ConfigError
from evolora_mesa.evolution.crossover import CROSSOVERS, cross, isolate_sites, site_weights_from_uplift
from evolora_mesa.evolution.merging import MERGES
from evolora_mesa.evolution.operators import OPERATORS, breed
from evolora_mesa.host import AdapterBank
from evolora_mesa.host.sites import Site

PAIR = torch.tensor([[1, 2]])
HALVES = torch.full((1, 2, len(SITES)), 0.5)


def crossed(bank: AdapterBank, count: int, operator: str, *, seed: int = 0, **options: Any) -> torch.Tensor:
    """Slots of ``count`` children of the parents 1 and 2."""
    children = slots_for(bank, count)
    cross(bank, PAIR.expand(count, 2), children, operator=operator, generator=seeded(seed), **options)
    assert all(padding_is_zero(bank, child) for child in children.tolist())
    assert bool(bank.finite(children).all())
    return children


def origins(bank: AdapterBank, child: int) -> list[int]:
    """The parent that each site is a copy of, to the last bit, with its rank."""
    found = []
    for place, site in enumerate(bank.sites):
        same = [
            parent
            for parent in (1, 2)
            if torch.equal(bank.a[site.name][child], bank.a[site.name][parent])
            and torch.equal(bank.b[site.name][child], bank.b[site.name][parent])
            and bank.ranks[child, place] == bank.ranks[parent, place]
        ]
        assert len(same) == 1
        found += same
    return found


def test_uniform_takes_whole_sites_and_never_all_from_one_parent() -> None:
    bank = made_bank((4, 3), children=200)
    seen = [tuple(origins(bank, child)) for child in crossed(bank, 200, "uniform").tolist()]
    assert set(seen) == {(1, 1, 2), (1, 2, 1), (1, 2, 2), (2, 1, 1), (2, 1, 2), (2, 2, 1)}
    assert all(seen.count(mix) > 15 for mix in set(seen))


def test_structured_cuts_once_between_layers_with_the_head_on_top() -> None:
    sites = [
        Site("lm_head", -1, "head", 0, 20, 16, 20),
        *(Site(f"model.layers.{layer}.{name}", layer, name, 0, 16, 16, 16) for layer in (0, 1) for name in ("q", "o")),
    ]
    bank = made_bank((4, 3), children=100, sites=sites)
    seen = {tuple(origins(bank, child)) for child in crossed(bank, 100, "structured").tolist()}
    assert seen == {(2, 1, 1, 2, 2), (2, 1, 1, 1, 1), (1, 2, 2, 1, 1), (1, 2, 2, 2, 2)}


def test_structured_cuts_a_single_layer_between_its_sites() -> None:
    sites = [Site(f"model.layers.0.{name}", 0, name, 0, 16, 16, 16) for name in ("q", "k", "v")]
    bank = made_bank((4, 3), children=100, sites=sites)
    seen = {tuple(origins(bank, child)) for child in crossed(bank, 100, "structured").tolist()}
    assert seen == {(1, 2, 2), (1, 1, 2), (2, 1, 1), (2, 2, 1)}


@pytest.mark.parametrize("operator", ["uniform", "structured"])
def test_an_adapter_of_one_site_comes_from_either_parent(operator: str) -> None:
    bank = made_bank((4, 3), children=30, sites=SITES[:1])
    assert {tuple(origins(bank, child)) for child in crossed(bank, 30, operator).tolist()} == {(1,), (2,)}


def test_rank_component_takes_each_component_whole_from_either_parent() -> None:
    bank = made_bank((2, 2), children=60)
    for name in NAMES:
        parts = []
        for parent in (1, 2):
            u, s, vh = torch.linalg.svd(change(bank, parent, name), full_matrices=False)
            parts.append([s[k] * torch.outer(u[:, k], vh[k]) for k in (0, 1)])
        mixes = {(i, j): parts[i][0] + parts[j][1] for i in (0, 1) for j in (0, 1)}
        seen = set()
        for child in crossed(bank, 20, "rank_component").tolist():
            matching = [mix for mix, expected in mixes.items() if apart(change(bank, child, name), expected) < 1e-3]
            assert len(matching) == 1
            seen.add(matching[0])
        assert seen == set(mixes)


def test_rank_component_has_the_larger_rank() -> None:
    bank = made_bank((2, 5), children=1)
    [child] = crossed(bank, 1, "rank_component").tolist()
    assert bank.ranks[child].tolist() == [5] * len(NAMES)


def test_task_aware_weighs_every_site_by_itself() -> None:
    bank = made_bank((3, 4), children=1)
    weights = torch.tensor([[[1.0, 0.0, 0.25], [0.0, 1.0, 0.75]]])
    [child] = crossed(bank, 1, "task_aware", site_weights=weights).tolist()
    for place, name in enumerate(NAMES):
        expected = weights[0, 0, place] * change(bank, 1, name) + weights[0, 1, place] * change(bank, 2, name)
        assert apart(change(bank, child, name), expected) < 1e-4


def test_site_weights_count_gains_and_average_where_there_is_none() -> None:
    uplift = torch.tensor([[[0.3, -0.2, 0.0], [0.1, 0.4, -0.1]]])
    torch.testing.assert_close(site_weights_from_uplift(uplift), torch.tensor([[[0.75, 0.0, 0.5], [0.25, 1.0, 0.5]]]))
    drawn = site_weights_from_uplift(torch.randn(50, 2, 7, generator=seeded()))
    torch.testing.assert_close(drawn.sum(1), torch.ones(50, 7))
    assert bool((drawn >= 0).all())


def test_isolated_sites_add_up_to_the_parent() -> None:
    bank = made_bank((4, 2), children=6)
    scratch = slots_for(bank, 6)
    isolate_sites(bank, torch.tensor([2, 1]), scratch)
    for parent, slots in ((2, scratch[:3]), (1, scratch[3:])):
        for place, slot in enumerate(slots.tolist()):
            for other, name in enumerate(NAMES):
                if other == place:
                    assert torch.equal(change(bank, slot, name), change(bank, parent, name))
                else:
                    assert not change(bank, slot, name).any()


@pytest.mark.parametrize("operator", CROSSOVERS)
@pytest.mark.parametrize("seed", range(4))
def test_two_factorisations_of_the_parents_have_the_same_child(operator: str, seed: int) -> None:
    bank = made_bank((4, 3), seed=seed, children=2)
    first = int(crossed(bank, 1, operator, seed=seed, site_weights=HALVES))
    regauge(bank, 1, seed)
    regauge(bank, 2, seed + 50)
    second = int(crossed(bank, 1, operator, seed=seed, site_weights=HALVES))
    for name in NAMES:
        assert apart(change(bank, second, name), change(bank, first, name)) < 1e-3


@pytest.mark.parametrize("operator", CROSSOVERS)
def test_equal_parents_have_their_like(operator: str) -> None:
    bank = made_bank((4,), children=5)
    children = slots_for(bank, 5)
    weights = HALVES.expand(5, -1, -1)
    both = torch.ones(5, 2, dtype=torch.long)
    cross(bank, both, children, operator=operator, generator=seeded(), site_weights=weights)
    for child in children.tolist():
        for name in NAMES:
            assert apart(change(bank, child, name), change(bank, 1, name)) < 1e-4


def test_breeding_knows_every_operator_and_no_other() -> None:
    assert set(OPERATORS) == {*MERGES, *CROSSOVERS} and all(OPERATORS.values())
    bank = made_bank((4, 3), children=len(OPERATORS))
    for operator in OPERATORS:
        child = slots_for(bank, 1)
        breed(bank, PAIR, child, operator=operator, generator=seeded(), site_weights=HALVES)
        assert bool(bank.norms(child).any()) and padding_is_zero(bank, int(child))
    with pytest.raises(ConfigError, match="unknown breeding operator"):
        breed(bank, PAIR, child, operator="soup", generator=seeded())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operator": "zip"}, "unknown crossover"),
        ({"operator": "task_aware"}, "task_aware needs"),
        ({"operator": "task_aware", "site_weights": torch.ones(2, 2, 3)}, "task_aware needs"),
        ({"operator": "task_aware", "site_weights": torch.full((1, 2, 3), float("nan"))}, "task_aware needs"),
    ],
)
def test_settings_that_make_no_child_are_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    bank = made_bank((2, 2), children=1)
    with pytest.raises(ConfigError, match=message) as caught:
        cross(bank, PAIR, slots_for(bank, 1), generator=seeded(), **options)
    assert "\n" not in str(caught.value)


def test_a_crossover_has_two_parents() -> None:
    bank = made_bank((2, 2, 2), children=1)
    with pytest.raises(ConfigError, match="two parents"):
        cross(bank, torch.tensor([[1, 2, 3]]), slots_for(bank, 1), operator="uniform", generator=seeded())
