"""The frozen host's line is measured, once, and never invented."""

from __future__ import annotations

import numpy as np
import pytest
from test_picture import watched
from world_fixtures import tiny_world

from evolora_mesa.host import HostService
from evolora_mesa.tasks import Pool
from evolora_mesa.view import frozen
from evolora_mesa.view.frozen import PROMPTS, frozen_success


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from weakref import WeakKeyDictionary

    monkeypatch.setattr(frozen, "_known", WeakKeyDictionary())


def test_one_family_more_is_known_after_every_call(petri: HostService) -> None:
    model = tiny_world(petri)
    known = [int(np.isfinite(frozen_success(model)).all(1).sum()) for _ in range(4)]
    assert known == [1, 2, 3, 3]


def test_looking_alone_asks_nobody(petri: HostService) -> None:
    assert np.isnan(frozen_success(tiny_world(petri), ask=False)).all()


def test_another_world_on_the_same_host_knows_it_already(petri: HostService) -> None:
    first = [frozen_success(tiny_world(petri)) for _ in range(3)][-1]
    assert np.array_equal(frozen_success(tiny_world(petri, rng=5), ask=False), first)


def test_other_contracts_are_another_measurement(petri: HostService) -> None:
    for _ in range(3):
        frozen_success(tiny_world(petri))
    other = tiny_world(petri, **{"tasks.styles": {"math": "quoted"}})
    assert np.isnan(frozen_success(other, ask=False)).all()


def test_only_prompts_of_the_gate_pool_are_asked(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = tiny_world(petri), []
    draw = model.tasks.draw
    monkeypatch.setattr(model.tasks, "draw", lambda pool, *cell: asked.append(pool) or draw(pool, *cell))
    frozen_success(model)
    assert asked == [Pool.GATE] * (2 * PROMPTS)


def test_families_that_have_left_are_not_asked(petri: HostService) -> None:
    model = tiny_world(petri)
    model.open[1] = False
    success = [frozen_success(model) for _ in range(3)][-1]
    assert np.isfinite(success).all(1).tolist() == [True, False, True]


def test_the_line_is_the_hosts_success_on_the_cells_that_were_worked_in(petri: HostService) -> None:
    model = tiny_world(petri)
    picture = watched(model, 4)
    cells = model.last_work.workload.cells
    assert picture.series["frozen_host"][-1] == pytest.approx(picture.layers["frozen"].ravel()[cells].mean())
    assert np.isnan(picture.series["frozen_host"][:2]).all()  # before all cells were measured
