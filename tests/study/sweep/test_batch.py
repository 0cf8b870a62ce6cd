"""`evolora_mesa.batch_run`: Mesa's call and rows, exact steps, distinct seeds, and no run that takes others with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mesa
import pytest
from batch_models import Followed, Fragile, Mute, Seldom, Walk
from mesa.batchrunner import batch_run as mesa_batch_run
from processes import is_alive, wait_until

import evolora_mesa
from evolora_mesa.errors import ConfigError
from evolora_mesa.study.sweep.batch import BatchError, batch_run
from evolora_mesa.study.sweep.seeds import seeds_of

HERE = Path(__file__).resolve().parent


def quiet(model, parameters, **given):
    return batch_run(model, parameters, display_progress=False, **given)


# --- as Mesa does it


def test_it_is_found_where_the_package_is():
    assert evolora_mesa.batch_run is batch_run


@pytest.mark.parametrize("model", [Walk, Followed])
@pytest.mark.parametrize("period", [-1, 1, 4])
def test_rows_are_those_of_mesa_which_runs_one_step_more(model, period):
    parameters = {"walkers": [1, 3], "rng": 5}
    ours = quiet(model, parameters, max_steps=10, data_collection_period=period)
    theirs = mesa_batch_run(model, parameters, max_steps=10, data_collection_period=period, display_progress=False)
    assert [list(row) for row in ours] == [list(row) for row in theirs]
    assert ours == theirs


def test_parameters_are_crossed_and_a_text_is_one_value():
    rows = quiet(Fragile, {"accident": "", "trace": ["a", "b"]}, iterations=2, max_steps=1)
    assert [(row["RunId"], row["iteration"], row["trace"]) for row in rows] == [
        (0, 0, "a"),
        (1, 0, "b"),
        (2, 1, "a"),
        (3, 1, "b"),
    ]


# --- steps


@pytest.mark.parametrize("steps", [0, 1, 10])
def test_as_many_steps_are_run_as_were_asked_for(steps):
    (row,) = quiet(Walk, {}, max_steps=steps)
    assert row["Step"] == row["steps_lived"] == steps


def test_a_period_gives_every_so_manieth_step_and_the_last():
    rows = quiet(Walk, {}, max_steps=10, data_collection_period=4)
    assert [row["Step"] for row in rows] == [row["steps_lived"] for row in rows] == [0, 4, 8, 10]


def test_a_model_that_stops_itself_ends_there():
    rows = quiet(Walk, {"until": 3}, max_steps=10, data_collection_period=2)
    assert [row["Step"] for row in rows] == [0, 2, 3]


def test_a_model_that_collects_seldom_has_rows_of_the_steps_in_which_it_did():
    rows = quiet(Seldom, {}, max_steps=8, data_collection_period=1)
    assert [(row["Step"], row["steps_lived"]) for row in rows] == [(3, 3), (6, 6)]


# --- seeds


def test_iterations_differ_and_combinations_share_their_seeds():
    rows = quiet(Walk, {"walkers": [1, 2]}, iterations=3, max_steps=1)
    by_iteration = [{row["rng"] for row in rows if row["iteration"] == iteration} for iteration in range(3)]
    assert by_iteration == [{seed} for seed in seeds_of(0, 3)]


def test_another_root_gives_other_seeds():
    assert [row["rng"] for row in quiet(Walk, {}, iterations=2, max_steps=1, root_seed=1)] == list(seeds_of(1, 2))


def test_a_seed_among_the_parameters_is_that_of_the_first_iteration_only():
    rows = quiet(Seldom, {"seed": [7, 8]}, iterations=3, max_steps=3)
    seeds = [row["seed"] for row in rows]
    assert seeds[:2] == [7, 8]
    assert len(set(seeds)) == 6


# --- processes


@pytest.mark.slow
def test_two_processes_give_the_rows_of_one_in_the_same_order():
    given = {"walkers": [1, 2], "stride": [1, 40]}
    alone = quiet(Walk, given, iterations=2, max_steps=20, data_collection_period=5)
    assert quiet(Walk, given, iterations=2, max_steps=20, data_collection_period=5, number_processes=2) == alone


def test_a_killed_process_is_replaced_and_the_rows_are_those_of_an_undisturbed_batch(tmp_path):
    trace = str(tmp_path / "trace")
    rows = quiet(Fragile, {"accident": ["", "kill once"], "trace": trace}, number_processes=2, max_steps=5)
    assert Path(trace).read_text(encoding="utf-8") == "killed\n"
    (alone,) = quiet(Fragile, {"trace": trace}, max_steps=5)
    assert [row["furthest"] for row in rows] == [alone["furthest"]] * 2


@pytest.mark.slow
def test_a_run_that_is_killed_every_time_fails_after_three_attempts_and_the_others_live(tmp_path):
    trace = str(tmp_path / "trace")
    with pytest.raises(BatchError, match=r"1 of 3 runs failed: run 1: .*killed by SIGKILL, 3 times") as caught:
        quiet(Fragile, {"accident": ["", "kill", ""], "trace": trace}, number_processes=2, max_steps=5)
    assert Path(trace).read_text(encoding="utf-8") == "killed\n" * 3
    assert [row["RunId"] for row in caught.value.rows] == [0, 2]


def test_a_process_that_leaves_is_not_begun_again():
    with pytest.raises(BatchError, match="the process left with exit code 9"):
        quiet(Fragile, {"accident": ["leave", ""]}, number_processes=2, max_steps=5)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_that_raises_is_told_of_at_the_end_with_the_rows_of_the_others(processes):
    with pytest.raises(BatchError) as caught:
        quiet(Fragile, {"accident": ["", "raise", ""]}, number_processes=processes, max_steps=5)
    error = caught.value
    assert str(error).startswith("1 of 3 runs failed: run 1: ValueError: a bad day and a second line.")
    assert [row["RunId"] for row in error.rows] == [0, 2]
    (failure,) = error.failures
    assert (failure["RunId"], failure["accident"]) == (1, "raise")
    assert 'raise ValueError("a bad day' in failure["traceback"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
def test_processes_end_with_the_one_that_asked_for_them(tmp_path):
    trace = tmp_path / "pid"
    script = tmp_path / "asks.py"
    script.write_text(
        f"import sys; sys.path[:0] = [{str(HERE)!r}, {str(HERE.parents[2])!r}]\n"
        "from batch_models import Fragile\n"
        "from evolora_mesa import batch_run\n"
        "if __name__ == '__main__':\n"
        f"    batch_run(Fragile, {{'accident': 'sleep', 'trace': {str(trace)!r}}}, 2, max_steps=1)\n",
        encoding="utf-8",
    )
    asking = subprocess.Popen([sys.executable, str(script)])
    wait_until(lambda: trace.exists() and trace.read_text(encoding="utf-8"), "the process")
    process = int(trace.read_text(encoding="utf-8"))
    assert is_alive(process)
    asking.kill()
    asking.wait()
    wait_until(lambda: not is_alive(process), "its end")


# --- what is refused


@pytest.mark.parametrize(
    ("parameters", "given", "message"),
    [
        ({"walkers": []}, {}, r"a parameter has no values \(walkers\)"),
        ({}, {"number_processes": 0}, r"out of range \(number_processes\): expected at least 1, got 0"),
        ({}, {"iterations": 0}, r"out of range \(iterations\)"),
        ({}, {"data_collection_period": 0}, r"out of range \(data_collection_period\): expected -1, or at least 1"),
        ({}, {"max_steps": -1}, r"out of range \(max_steps\): expected at least 0, got -1"),
    ],
)
def test_a_mistaken_call_is_one_line(parameters, given, message):
    with pytest.raises(ConfigError, match=message):
        quiet(Walk, parameters, **given)


def test_a_model_that_collects_nothing_is_told_what_it_lacks():
    with pytest.raises(BatchError, match="expected an attribute `datacollector`"):
        quiet(Mute, {}, max_steps=1)


def test_a_class_that_no_other_process_can_import_is_one_line():
    class Local(mesa.Model):
        pass

    with pytest.raises(ConfigError, match="Define the model in a module"):
        quiet(Local, {}, number_processes=2)


# --- worlds of ours


def test_our_world_runs_under_both_and_with_the_same_figures():
    settings = {"config": "smoke", "economy.ticket": [0.3, 0.5], "rng": 3}
    ours = quiet(evolora_mesa.EcologyModel, settings, max_steps=2)
    theirs = mesa_batch_run(evolora_mesa.EcologyModel, settings, max_steps=2, display_progress=False)
    timed = {"step_seconds", "host_seconds"}
    assert [_but(row, timed) for row in ours] == [_but(row, timed) for row in theirs]
    assert {row["Step"] for row in ours} == {2}


def _but(row, names):
    """The row without these; of a number that does not exist its name, for it is not equal to itself."""
    return {name: repr(value) for name, value in row.items() if not any(part in name for part in names)}
