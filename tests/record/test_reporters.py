"""What is recorded: one row per generation, figures that agree with the world, functions that can travel."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from world_fixtures import NOBODY_CAN_PAY, live, lively_world, tiny_world

from evolora_mesa.host import HostService
from evolora_mesa.record import reporters
from evolora_mesa.record.reporters import AGENT_REPORTERS, MODEL_REPORTERS, TABLES

_MUST_HAVE = {
    "generation",
    "population",
    "mean_roi",
    "accuracy",
    "energy_organelles",
    "energy_cells",
    "energy_soil",
    "energy_sun",
    "energy_gini",
    "births",
    "deaths",
    "episodes",
    "prompt_tokens",
    "generated_tokens",
    "cells_occupied",
    "learning_progress",
}


@pytest.mark.parametrize("reporter", [*MODEL_REPORTERS.values(), *AGENT_REPORTERS.values()])
def test_a_reporter_is_a_documented_function_of_its_module_and_pickles(reporter: object) -> None:
    assert getattr(reporters, reporter.__name__) is reporter
    assert reporter.__doc__
    assert pickle.loads(pickle.dumps(reporter)) is reporter  # noqa: S301 - made on the spot


def test_what_is_measured_in_seconds_says_so() -> None:
    assert {name for name in MODEL_REPORTERS if "second" in name} == {"host_seconds", "step_seconds"}
    assert set(MODEL_REPORTERS) >= _MUST_HAVE


def test_the_frame_has_the_founding_and_one_row_per_generation(petri: HostService) -> None:
    frame = live(tiny_world(petri), 5).datacollector.get_model_vars_dataframe()
    assert frame["generation"].tolist() == [0, 1, 2, 3, 4, 5]
    assert list(frame.columns) == list(MODEL_REPORTERS)
    assert frame.loc[0, "episodes"] == 0 and math.isnan(frame.loc[0, "success_rate"])
    assert frame.loc[1:, "host_seconds"].gt(0).all()
    assert frame["step_seconds"].ge(frame["host_seconds"]).all()


def test_the_agents_frame_has_a_row_for_everyone_alive(petri: HostService) -> None:
    model = live(lively_world(petri), 5)
    frame = model.datacollector.get_agent_vars_dataframe()
    assert frame.index.names == ["Step", "AgentID"]
    assert list(frame.columns) == list(AGENT_REPORTERS)
    sizes = model.datacollector.get_model_vars_dataframe()["population"].tolist()
    assert frame.groupby(level="Step").size().tolist() == sizes
    last = frame.xs(frame.index.get_level_values("Step").max())
    for organelle in model.organelles():
        row, (family, depth) = last.loc[organelle.unique_id], organelle.cell.coordinate
        assert row["cell"] == f"{model.grid.families[family]}:{depth + 1}"
        assert (row["energy"], row["lineage"], row["age"]) == (
            organelle.energy,
            organelle.lineage,
            organelle.age,
        )
        assert row["roi"] == organelle.roi


def test_the_tables_have_their_columns_even_when_nothing_happened(petri: HostService) -> None:
    model = tiny_world(petri)
    for name, columns in TABLES.items():
        table = model.datacollector.get_table_dataframe(name)
        assert table.empty
        assert list(table.columns) == columns


def test_the_energies_of_every_generation_add_up_to_zero(petri: HostService) -> None:
    frame = live(lively_world(petri), 8).datacollector.get_model_vars_dataframe()
    total = frame[["energy_organelles", "energy_cells", "energy_trials", "energy_soil", "energy_sun"]].sum(axis=1)
    np.testing.assert_allclose(total, 0.0, atol=1e-9)
    assert frame["energy_soil"].is_monotonic_increasing
    assert frame["energy_gini"].between(0, 1).all()


def test_the_figures_agree_with_the_world(petri: HostService) -> None:
    model = live(tiny_world(petri), 3)
    row = model.datacollector.get_model_vars_dataframe().iloc[-1]
    organelles = model.organelles()
    assert row["population"] == len(organelles)
    assert row["cells_occupied"] == len({organelle.cell.coordinate for organelle in organelles})
    assert row["mean_roi"] == pytest.approx(np.mean([organelle.roi for organelle in organelles]))
    assert row["success_rate"] == model.tally.succeeded / model.tally.episodes
    assert row["success_rate"] <= row["mean_reward"] + 1e-12
    assert row["mean_price"] == pytest.approx(model.grid.layer("price").mean())
    assert row["learning_progress"] == pytest.approx(model.grid.layer("learning_progress").mean())
    assert row["prompt_tokens"] > row["episodes"] and row["generated_tokens"] >= row["episodes"]


def test_an_empty_world_reports_nothing_rather_than_a_number(petri: HostService) -> None:
    model = live(tiny_world(petri, **NOBODY_CAN_PAY), 2)
    row = model.datacollector.get_model_vars_dataframe().iloc[-1]
    assert row["population"] == row["episodes"] == row["cells_occupied"] == 0
    assert all(math.isnan(row[name]) for name in ("mean_roi", "success_rate", "mean_reward", "energy_gini"))
