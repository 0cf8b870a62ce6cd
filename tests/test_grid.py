"""The task grid: numbers, coordinates and layers all mean the same cell."""

from __future__ import annotations

import random

import mesa
import numpy as np
import pytest
from mesa.discrete_space import CellAgent

from evolora_mesa.tasks.grid import LAYERS, TaskGrid


@pytest.fixture
def grid() -> TaskGrid:
    return TaskGrid(["math", "logic", "sequence"], 4, random.Random(0))


def test_the_grid_is_families_by_depths(grid: TaskGrid) -> None:
    assert grid.families == ("math", "logic", "sequence")
    assert grid.depths == 4
    assert {cell.coordinate for cell in grid.all_cells} == {(f, d) for f in range(3) for d in range(4)}
    assert all(grid.layer(name).shape == (3, 4) for name in LAYERS)


def test_flat_numbers_count_depths_within_families(grid: TaskGrid) -> None:
    assert [grid.cell(number).coordinate for number in range(12)] == [(f, d) for f in range(3) for d in range(4)]
    assert [int(np.ravel_multi_index(grid.cell(number).coordinate, (3, 4))) for number in range(12)] == list(range(12))


def test_a_layer_is_live_and_the_cells_see_it(grid: TaskGrid) -> None:
    grid.layer("price")[:] = np.arange(12).reshape(3, 4)
    assert grid[2, 1].price == 9.0
    grid[0, 3].price = -1.0
    assert grid.layer("price")[0, 3] == -1.0
    assert grid.layer("price") is grid.layer("price")


def test_layers_are_apart_from_one_another(grid: TaskGrid) -> None:
    grid.layer("price")[:] = 1.0
    assert not grid.layer("pool").any()


def test_two_grids_share_nothing(grid: TaskGrid) -> None:
    other = TaskGrid(["math"], 2, random.Random(0))
    grid.layer("price")[:] = 1.0
    assert not other.layer("price").any()
    assert other[0, 1].price == 0.0


def test_neighbours_differ_by_one_family_or_one_depth_and_the_world_has_edges(grid: TaskGrid) -> None:
    assert {cell.coordinate for cell in grid[0, 0].neighborhood} == {(1, 0), (0, 1)}
    assert {cell.coordinate for cell in grid[1, 1].neighborhood} == {(0, 1), (2, 1), (1, 0), (1, 2)}


def test_the_occupancy_is_counted_afresh(grid: TaskGrid) -> None:
    grid.count([grid[0, 0], grid[0, 0], grid[2, 3]])
    assert grid.layer("occupancy").sum() == 3
    assert grid[0, 0].occupancy == 2
    grid.count(iter([grid[1, 1]]))
    assert grid.layer("occupancy").sum() == grid[1, 1].occupancy == 1
    grid.count([])
    assert not grid.layer("occupancy").any()


def test_a_cell_holds_any_number_of_organelles(grid: TaskGrid) -> None:
    model = mesa.Model()
    for _ in range(50):
        CellAgent(model).cell = grid[1, 2]
    assert len(grid[1, 2].agents) == 50
