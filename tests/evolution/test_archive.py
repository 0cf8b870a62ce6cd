"""The archive keeps the best of every niche, exactly as pyribs would, and its weights outlive their owners."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np
import pytest
import torch
from family import NAMES, SITES, made_bank, padding_is_zero, seeded
from hypothesis import given
from hypothesis import strategies as st
from repetitions import repeated

from evolora_mesa.errors import AdapterError, ConfigError, RunError
from evolora_mesa.evolution import archive as module
from evolora_mesa.evolution.archive import IMPROVED, NEW, NOT_ADDED, Archive
from evolora_mesa.host import AdapterBank

FAMILIES, DEPTHS, EDGES = 3, 2, (6.0, 12.0)
CELLS, BINS = FAMILIES * DEPTHS, len(EDGES) + 1
RANKS = (1, 3, 8, 2, 5)


def made_archive(bank: AdapterBank | None = None) -> Archive:
    return Archive(bank or made_bank(RANKS, children=3), FAMILIES, DEPTHS, EDGES)


def offer(archive: Archive, *rows: tuple[int, float, float], slots: list[int] | None = None, first: int = 100) -> list:
    """Offer (cell, cost, objective), by default all with the weights of slot 1; ids count up from ``first``."""
    cells, costs, objectives = (np.array(column) for column in zip(*rows, strict=True))
    ids = first + np.arange(len(rows))
    return archive.offer(
        cells=cells,
        costs=costs,
        objectives=objectives,
        slots=np.array(slots or [1] * len(rows)),
        ids=ids,
        lineages=ids % 7,
        traits=np.stack([ids / 3, -ids / 7], 1),
        generation=first,
    ).tolist()


def owners(archive: Archive) -> dict[int, int]:
    return {elite.niche: elite.organelle for elite in archive.elites()}


def weights(bank: AdapterBank, slot: int) -> list[torch.Tensor]:
    return [tensor[slot].clone() for name in NAMES for tensor in (bank.a[name], bank.b[name])] + [bank.ranks[slot]]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


# ---------------------------------------------------------------- who is kept


def test_a_better_one_replaces_the_elite_and_an_equal_one_does_not() -> None:
    archive = made_archive()
    assert offer(archive, (2, 7.0, 0.5), first=1) == [NEW]
    assert offer(archive, (2, 7.0, 0.5), first=2) == [NOT_ADDED]
    assert offer(archive, (2, 7.0, 0.4), first=3) == [NOT_ADDED]
    assert owners(archive) == {2 * BINS + 1: 1}
    assert offer(archive, (2, 7.0, 0.6), first=4) == [IMPROVED]
    assert owners(archive) == {2 * BINS + 1: 4}


def test_of_several_candidates_for_a_niche_the_best_is_kept_and_of_equals_the_first() -> None:
    archive = made_archive()
    assert offer(archive, (0, 1.0, 0.2), (0, 2.0, 0.9), (0, 3.0, 0.9), (1, 1.0, 0.0)) == [NEW] * 4
    assert owners(archive) == {0: 101, BINS: 103}
    assert offer(archive, (0, 1.0, 0.95), (0, 1.0, 0.5), (0, 1.0, 0.99), first=200) == [IMPROVED, NOT_ADDED, IMPROVED]
    assert owners(archive) == {0: 202, BINS: 103}


def test_a_cost_on_a_bound_is_in_the_dearer_bin() -> None:
    archive = made_archive()
    offer(archive, *((0, cost, 0.5) for cost in (0.0, math.nextafter(6.0, 0.0), 6.0, 11.9, 12.0, 1e9)))
    assert owners(archive) == {0: 100, 1: 102, 2: 104}


def test_an_archive_without_cost_bounds_has_one_niche_per_cell() -> None:
    archive = Archive(made_bank(RANKS), FAMILIES, DEPTHS, ())
    offer(archive, (0, 1.0, 0.5), (0, 1e6, 0.6), (5, 3.0, 0.1))
    assert owners(archive) == {0: 101, 5: 102}


def test_nobody_offered_changes_nothing() -> None:
    archive, none = made_archive(), np.zeros(0, np.int64)
    assert archive.offer(none, none, none, none, none, none, np.zeros((0, 2)), 1).shape == (0,)
    assert (archive.coverage, archive.qd_score, archive.elites()) == (0.0, 0.0, [])


ROW = st.tuples(st.integers(0, CELLS - 1), st.sampled_from([0.0, 6.0, 9.5, 12.0, 40.0]), st.integers(0, 4))


@given(st.lists(st.lists(ROW, min_size=1, max_size=8), max_size=6))
def test_any_history_of_offers_leaves_the_first_best_of_every_niche(
    history: list[list[tuple[int, float, int]]],
) -> None:
    archive, best, first = made_archive(), {}, 0
    for batch in history:
        before = dict(best)
        status = offer(archive, *((cell, cost, level / 4) for cell, cost, level in batch), first=first)
        for place, (cell, cost, level) in enumerate(batch):
            niche = cell * BINS + sum(cost >= edge for edge in EDGES)
            beaten = niche in before and level / 4 <= before[niche][0]
            assert status[place] == (NOT_ADDED if beaten else IMPROVED if niche in before else NEW)
            if niche not in best or level / 4 > best[niche][0]:
                best[niche] = (level / 4, first + place)
        first += len(batch)
    assert {e.niche: (e.objective, e.organelle) for e in archive.elites()} == best
    assert archive.coverage == len(best) / archive.niches
    assert archive.qd_score == sum(objective for objective, _ in best.values())
    assert np.flatnonzero(archive.occupied).tolist() == sorted(best)


@pytest.mark.parametrize("batches", [[1, 2, 7, 40, 150, 800], *repeated([1] * 1000, [1000])], ids=len)
def test_a_thousand_random_inserts_leave_what_pyribs_has(batches: list[int]) -> None:
    archives = pytest.importorskip("ribs.archives")
    rng = np.random.default_rng(5)
    cells, costs = rng.integers(CELLS, size=1000), rng.uniform(0, 20, 1000).round()  # some lie on a bound
    objectives = rng.beta(2, 3, 1000).round(2)  # many ties
    slots = rng.integers(1, 1 + len(RANKS), 1000)
    bank = made_bank(RANKS)
    archive = made_archive(bank)
    reference = archives.GridArchive(
        solution_dim=1, dims=(CELLS, BINS), ranges=[(0, CELLS), (0, BINS)], qd_score_offset=0.0
    )
    bins = np.digitize(costs, EDGES)
    for rows in np.split(np.arange(1000), np.cumsum(batches)[:-1]):
        ours = archive.offer(
            cells[rows], costs[rows], objectives[rows], slots[rows], rows, rows % 9, rows[:, None] / 3, int(rows[0])
        )
        measures = np.stack([cells[rows] + 0.5, bins[rows] + 0.5], 1)
        if len(rows) == 1:
            theirs = [reference.add_single(rows[:1], objectives[rows[0]], measures[0])["status"]]
        else:
            theirs = reference.add(rows[:, None], objectives[rows], measures)["status"]
        assert ours.tolist() == list(theirs)
        assert archive.coverage == pytest.approx(reference.stats.coverage)
        assert archive.qd_score == pytest.approx(float(reference.stats.qd_score))
    theirs = reference.data(["index", "solution", "objective"])
    expected = zip(theirs["index"].tolist(), theirs["solution"][:, 0].tolist(), theirs["objective"], strict=True)
    assert sorted((e.niche, e.organelle, e.objective) for e in archive.elites()) == sorted(expected)
    for elite in archive.elites():
        row = elite.organelle
        assert (elite.cell, elite.cost, elite.lineage) == (cells[row], costs[row], row % 9)
        assert elite.traits.tolist() == [row / 3]
        archive.put_into(np.array([elite.niche]), torch.tensor([1]))
        assert same(weights(bank, 1), weights(made_bank(RANKS), int(slots[row])))


# ---------------------------------------------------------------- weights


def test_an_elite_outlives_its_organelle() -> None:
    bank = made_bank(RANKS, children=2)
    archive = made_archive(bank)
    offer(archive, (0, 1.0, 0.5), (4, 7.0, 0.5), slots=[3, 2])
    kept = weights(bank, 3), weights(bank, 2)
    bank.free([2, 3])
    slots = bank.allocate(2, 8, seeded(1))
    archive.put_into(np.array([4 * BINS + 1, 0]), slots)
    assert same(weights(bank, int(slots[0])), kept[1])
    assert same(weights(bank, int(slots[1])), kept[0])
    assert padding_is_zero(bank, int(slots[0]))


def test_what_an_organelle_learns_later_does_not_reach_its_elite() -> None:
    bank = made_bank(RANKS)
    archive = made_archive(bank)
    offer(archive, (0, 1.0, 0.5), slots=[2])
    kept = weights(bank, 2)
    bank.a[NAMES[0]][2] += 1.0
    archive.put_into(np.array([0]), torch.tensor([1]))
    assert same(weights(bank, 1), kept)
    bank.a[NAMES[0]][1] += 1.0
    archive.put_into(np.array([0]), torch.tensor([1]))
    assert same(weights(bank, 1), kept)


def test_weights_keep_the_bits_of_a_half_precision_bank() -> None:
    bank = AdapterBank(SITES, capacity=3, max_rank=4, dtype=torch.bfloat16)
    bank.allocate(2, 3, seeded(), norm=2.0)
    archive, kept = made_archive(bank), weights(bank, 1)
    offer(archive, (0, 1.0, 0.5))
    archive.put_into(np.array([0]), torch.tensor([2]))
    assert same(weights(bank, 2), kept)


def test_room_for_weights_is_taken_at_the_first_elite() -> None:
    archive = made_archive()
    assert archive.state_dict()[1] == {}
    offer(archive, (0, 1.0, 0.5), (1, 1.0, 0.5))
    tensors = archive.state_dict()[1]
    assert tensors[f"a.{NAMES[0]}"].shape == (2, 8, 35)
    assert tensors["ranks"].shape == (2, len(SITES))


def test_more_niches_than_memory_are_refused_at_the_door() -> None:
    with pytest.raises(AdapterError, match=r"more memory than there is.* GiB for .* niches"):
        Archive(made_bank(RANKS), 1_000_000_000, 64, ())


def test_weights_that_are_not_finite_are_kept_nowhere() -> None:
    bank = made_bank(RANKS)
    archive = made_archive(bank)
    offer(archive, (1, 1.0, 0.1))
    bank.b[NAMES[1]][3, 0, 0] = torch.nan
    with pytest.raises(AdapterError, match=r"NaN or infinity.*\[3\]"):
        offer(archive, (0, 1.0, 0.5), (1, 1.0, 0.5), slots=[1, 3], first=200)
    assert owners(archive) == {BINS: 100}
    assert offer(archive, (0, 1.0, 0.5), (1, 1.0, 0.0), slots=[1, 3]) == [NEW, NOT_ADDED]  # it would not be kept


@pytest.mark.parametrize(
    ("niches", "slots", "message"),
    [
        ([1], [1], "no elite"),
        ([-18], [1], "no elite"),
        ([18], [1], "no elite"),
        ([0], [0], "not allocated"),
        ([0], [6], "not allocated"),
        ([0, 0], [1, 1], "slots of their own"),
        ([0], [1, 2], "slots of their own"),
    ],
)
def test_elites_go_only_where_there_is_room(niches: list[int], slots: list[int], message: str) -> None:
    bank = made_bank(RANKS, children=3)
    archive = made_archive(bank)
    offer(archive, (0, 1.0, 0.5), slots=[3])
    before = weights(bank, 1)
    with pytest.raises((AdapterError, ConfigError), match=message):
        archive.put_into(np.array(niches), torch.tensor(slots))
    assert same(weights(bank, 1), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cells": [0, CELLS]}, "cells.*0 to 5"),
        ({"cells": [-1, 0]}, "cells"),
        ({"costs": [1.0, math.nan]}, "costs"),
        ({"costs": [-1.0, 1.0]}, "costs"),
        ({"costs": [math.inf, 1.0]}, "costs"),
        ({"objectives": [0.5, 1.01]}, "objectives.*0 to 1"),
        ({"objectives": [math.nan, 0.5]}, "objectives"),
        ({"slots": [1, 0]}, "not allocated"),
        ({"slots": [1, 7]}, "not allocated"),
        ({"slots": [1]}, "2 of each"),
        ({"traits": [[1.0]]}, "2 of each"),
        ({"traits": [[1.0], [2.0]]}, "other traits"),
    ],
)
def test_hostile_offers_change_nothing(change: dict[str, Any], message: str) -> None:
    archive = made_archive()
    offer(archive, (0, 1.0, 0.1))
    good = {
        "cells": [0, 1],
        "costs": [1.0, 2.0],
        "objectives": [0.5, 0.6],
        "slots": [1, 2],
        "ids": [7, 8],
        "lineages": [7, 8],
        "traits": [[1.0, 2.0], [3.0, 4.0]],
    }
    with pytest.raises((AdapterError, ConfigError), match=message) as caught:
        archive.offer(**{name: np.array(value) for name, value in (good | change).items()}, generation=3)
    assert "\n" not in str(caught.value)
    assert owners(archive) == {0: 100}


@pytest.mark.parametrize("edges", [(2.0, 2.0), (3.0, 1.0), (math.nan,), (1.0, math.inf)])
def test_cost_bounds_ascend(edges: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="do not ascend"):
        Archive(made_bank(RANKS), FAMILIES, DEPTHS, edges)
    with pytest.raises(ConfigError, match="needs a cell"):
        Archive(made_bank(RANKS), 0, DEPTHS, EDGES)


# ---------------------------------------------------------------- what it is asked


def test_an_elite_is_a_copy_and_not_a_door_into_the_archive() -> None:
    archive = made_archive()
    offer(archive, (0, 1.0, 0.5))
    archive.elites()[0].traits[:] = 9.0
    assert archive.elites()[0].traits.tolist() == [100 / 3, -100 / 7]


# ---------------------------------------------------------------- as data


def filled() -> Archive:
    archive = made_archive()
    rng = np.random.default_rng(3)
    rows = [(int(rng.integers(CELLS)), float(rng.uniform(0, 20)), float(rng.random())) for _ in range(12)]
    offer(archive, *rows, slots=rng.integers(1, 6, 12).tolist())
    return archive


def test_an_archive_goes_on_where_it_was() -> None:
    first, second = filled(), made_archive()
    offer(second, (0, 1.0, 0.999))  # is forgotten
    plain, tensors = first.state_dict()
    second.load_state_dict(json.loads(json.dumps(plain)), tensors)
    for archive in (first, second):
        offer(archive, (0, 1.0, 0.7), (5, 1.0, 0.7), slots=[2, 3], first=300)
    states = first.state_dict(), second.state_dict()
    assert states[0][0] == states[1][0]
    assert states[0][1].keys() == states[1][1].keys()
    assert all(torch.equal(states[0][1][name], states[1][1][name]) for name in states[0][1])


def test_an_empty_archive_is_restored_empty() -> None:
    archive = filled()
    archive.load_state_dict(*made_archive().state_dict())
    assert archive.elites() == []
    assert offer(archive, (0, 1.0, 0.0)) == [NEW]


def test_an_archive_that_has_lost_all_its_elites_is_restored_empty() -> None:
    archive, other = filled(), filled()
    archive.forget(np.arange(CELLS))
    plain, tensors = archive.state_dict()
    assert plain["niches"] == [] and tensors
    other.load_state_dict(plain, tensors)
    assert other.elites() == []
    assert offer(other, (0, 1.0, 0.0)) == [NEW]


def test_a_state_is_a_copy() -> None:
    archive = filled()
    before = archive.state_dict()[1]["ranks"].clone()
    archive.state_dict()[1]["ranks"][:] = 0
    assert torch.equal(archive.state_dict()[1]["ranks"], before)


@pytest.mark.parametrize(
    "change",
    [
        {"families": 2},
        {"cost_edges": [6.0]},
        {"niches": [0]},
        {"niches": "all"},
        {"objective": None},
        {"cost": [1.0]},
        {"organelle": [2**70]},
        {"traits": []},
        {"traits": [[1.0], [1.0, 2.0]]},
    ],
)
def test_a_broken_state_is_refused_whole(change: dict[str, Any]) -> None:
    archive, (plain, tensors) = made_archive(), filled().state_dict()
    offer(archive, (0, 1.0, 0.5))
    with pytest.raises(RunError) as caught:
        archive.load_state_dict(plain | change, tensors)
    assert "\n" not in str(caught.value)
    assert owners(archive) == {0: 100}


def test_a_state_with_impossible_elites_is_refused() -> None:
    plain, tensors = filled().state_dict()
    count = len(plain["niches"])
    for change in (
        {"niches": [0] * count},
        {"niches": [*range(count - 1), 18]},
        {"objective": [math.nan] * count},
        {"objective": [1.5] * count},
    ):
        with pytest.raises(RunError, match="broken"):
            made_archive().load_state_dict(plain | change, tensors)


def test_weights_of_another_bank_are_refused() -> None:
    plain, tensors = filled().state_dict()
    for other in ({}, tensors | {"ranks": tensors["ranks"][:1]}, tensors | {"ranks": tensors["ranks"].float()}):
        with pytest.raises(RunError, match="do not fit"):
            made_archive().load_state_dict(plain, other)
    with pytest.raises(RunError, match="do not fit"):
        made_archive(made_bank((1,), max_rank=4)).load_state_dict(plain, tensors)


def test_pyribs_gets_the_same_archive() -> None:
    pytest.importorskip("ribs")
    ours = filled()
    theirs = ours.to_pyribs()
    assert theirs.stats.num_elites == len(ours.elites())
    assert float(theirs.stats.qd_score) == pytest.approx(ours.qd_score)
    assert float(theirs.stats.coverage) == ours.coverage
    data = theirs.data()
    order = np.argsort(data["index"])
    elites = ours.elites()
    for name in ("objective", "cost", "organelle", "lineage", "generation"):
        assert data[name][order].tolist() == [getattr(elite, name) for elite in elites]
    assert data["index"][order].tolist() == [elite.niche for elite in elites]
    assert np.array_equal(data["traits"][order], np.stack([elite.traits for elite in elites]))
    ours.put_into(np.array([elites[0].niche]), torch.tensor([1]))
    flat = torch.cat([tensor.flatten() for tensor in weights(ours.bank, 1)[:-1]]).numpy()
    assert np.array_equal(data["solution"][order[0]], flat)
    assert data["ranks"][order[0]].tolist() == ours.bank.ranks[1].tolist()
    assert made_archive().to_pyribs().empty


def test_without_pyribs_the_export_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ribs.archives", None)
    with pytest.raises(ConfigError, match="pip install ribs"):
        filled().to_pyribs()


def test_the_archive_knows_no_agents() -> None:
    assert not {"mesa", "ribs"} & set(vars(module))
