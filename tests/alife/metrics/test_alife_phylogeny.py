"""Trees: closed forms, and phylotrackpy as the judge."""

import math

import numpy as np
import pytest

from evolora_mesa.alife.history import History
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics.phylogeny import Tree, founders_per_agent, lineages, merge_rate


def tree_of(parents: dict[int, int | None], living: set[int]) -> Tree:
    """Every agent a taxon; born one a step."""
    log = EventLog(("heredity",))
    for time, (child, parent) in enumerate(parents.items()):
        log.births(time, float(time), [child], None if parent is None else [parent], geno=child)
    log.deaths(len(parents), float(len(parents)), sorted(set(parents) - living))
    log.snapshot(len(parents), float(len(parents)), sorted(living))
    return Tree.of(History.of(log.close(), "geno"))


def balanced(depth: int) -> Tree:
    parents: dict[int, int | None] = {1: None} | {node: node // 2 for node in range(2, 2 ** (depth + 1))}
    return tree_of(parents, set(range(2**depth, 2 ** (depth + 1))))


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_distances_in_a_balanced_tree(depth):
    tree, leaves = balanced(depth), 2**depth
    # Leaves whose last common ancestor is h levels up are 2 h apart; each has 2^(h-1) of those.
    far = [2 * h for h in range(1, depth + 1) for _ in range(2 ** (h - 1))]
    assert tree.distances().mean == pytest.approx(np.mean(far))
    if depth > 1:
        pairs = leaves * (leaves - 1) / 2
        assert tree.distances().variance == pytest.approx(np.var(far) * pairs / (pairs - 1))
    assert tree.diversity == 2 ** (depth + 1) - 2
    assert tree.colless_like() == pytest.approx(0)
    assert tree.sackin() == leaves * depth
    assert tree.mrca_depth() == 0


def test_a_comb_is_as_unbalanced_as_can_be():
    comb = tree_of({0: None, 1: 0, 2: 0, 3: 2, 4: 2, 5: 4, 6: 4}, {1, 3, 5, 6})
    assert comb.sackin() == 1 + 2 + 3 + 3
    # Branches' sizes: 1 for a leaf, f + 2 for the lowest fork, 2 f + 3 for the one above, with f = ln(e + 2).
    f = math.log(math.e + 2)
    assert comb.colless_like() == pytest.approx((2 * f + 3 - 1) / 2 + (f + 2 - 1) / 2)
    stretched = tree_of({0: None, 7: 0, 1: 7, 2: 0, 3: 2, 8: 2, 4: 8, 5: 4, 6: 4}, {1, 3, 5, 6})
    assert stretched.colless_like() == pytest.approx(comb.colless_like()) and stretched.sackin() == comb.sackin()


def test_what_leads_to_nobody_is_not_in_the_tree_and_the_last_common_ancestor_is_deep():
    tree = tree_of({0: None, 1: 0, 2: 0, 3: 1, 4: 3, 5: 3}, {4, 5})
    assert tree.row.tolist() == [0, 1, 3, 4, 5]
    assert tree.mrca_depth() == 2 and tree.distances().mean == 2


def test_founders_without_a_common_ancestor_are_not_compared():
    tree = tree_of({0: None, 1: None, 2: 0, 3: 0}, {1, 2, 3})
    assert math.isnan(tree.mrca_depth()) and tree.distances().mean == 2


@pytest.mark.parametrize("seed", range(4))
def test_phylotrackpy_finds_the_same(seed):
    systematics = pytest.importorskip("phylotrackpy").systematics
    rng = np.random.default_rng(seed)
    judge = systematics.Systematics(lambda agent: agent[1])
    log = EventLog(("heredity",))
    agents, taxa = [(0, 0)], [judge.add_org((0, 0))]
    log.births(0, 0.0, [0], geno=0)
    for time in range(1, 250):
        parent = int(rng.integers(len(agents)))
        child = (time, time if rng.random() < 0.3 else agents[parent][1])
        log.births(time, float(time), [time], [agents[parent][0]], op="clone", geno=child[1])
        taxa.append(judge.add_org(child, taxa[parent]))
        agents.append(child)
        if len(agents) > 30:
            victim = int(rng.integers(len(agents)))
            judge.remove_org(taxa.pop(victim))
            log.deaths(time, float(time), [agents.pop(victim)[0]])
    log.snapshot(249, 249.0, [id for id, _ in agents])
    tree = Tree.of(History.of(log.close(), "geno"))
    assert len(tree.row) == judge.get_num_taxa() and tree.living.sum() == judge.get_num_active()
    assert tree.diversity == judge.get_phylogenetic_diversity()
    assert tree.distances().mean == pytest.approx(judge.get_mean_pairwise_distance(False))
    assert tree.distances().variance == pytest.approx(judge.get_variance_pairwise_distance(False))
    # phylotrackpy has a living root count a branching above itself.
    assert tree.sackin() == judge.sackin_index() - tree.living[tree.mrca()]
    assert tree.mrca_depth() == judge.mrca_depth()


def test_lineages_count_what_changed_on_the_way():
    log = EventLog(("heredity",))
    log.births(0, 0.0, [0], geno=0, pheno=0)
    log.births(1, 1.0, [1], [0], op="mutate", geno=1, pheno=0)
    log.births(2, 2.0, [2], [1], op="clone", geno=1, pheno=0)
    log.births(3, 3.0, [3], [2], op="mutate", geno=2, pheno=1)
    log.deaths(3, 3.0, [0, 1, 2])
    log.snapshot(3, 3.0, [3])
    assert lineages(log.close()) == (2.0, 2.0, 0.5)


def test_merges_make_a_web_of_several_founders():
    log = EventLog(("heredity", "multi_parent"))
    log.births(0, 0.0, [0, 1, 2])
    log.births(1, 1.0, [3], [[0, 1]], op="merge")
    log.births(2, 2.0, [4, 5], [[3, 0], [2, -1]], op=["merge", "clone"])
    log.deaths(2, 2.0, [0, 1, 2, 3])
    log.snapshot(2, 2.0, [4, 5])
    assert merge_rate(log.close()) == pytest.approx(2 / 3)
    assert founders_per_agent(log) == 1.5
