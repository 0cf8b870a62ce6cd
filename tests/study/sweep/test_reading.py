"""Sweep files: what is read is what was meant, and every mistake is one line with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_sweeps import SUCCESS, spec_of

from evolora_mesa.errors import ConfigError
from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.reading import dump_spec, find_spec, load_sweep, make_spec, read_spec, shipped_specs
from evolora_mesa.study.sweep.spec import Range

METRICS = "metrics:\n  success:\n    figure: success_rate\n"
FACTORS = "factors:\n  economy.ticket: [0.5, 1.0]\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def line_of(text: str) -> str:
    Path("mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_sweep("mine.yaml")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(shipped_specs()))
def test_every_shipped_sweep_is_fit_to_be_run_and_bears_its_own_name(name: str) -> None:
    spec, subject = load_sweep(name)
    agenda = Agenda(spec, subject)
    assert spec.name == name
    assert not agenda.refused
    runs = agenda.runs({})
    assert len({run.key for run in runs}) == len(runs)  # no two are the same
    assert len(runs) == (agenda.most if spec.design.method != "adaptive" else len(agenda.seeds) * spec.design.batch)


def test_the_readme_of_the_sweeps_names_them_all() -> None:
    readme = (find_spec("smoke").parent / "README.md").read_text(encoding="utf-8")
    for name in shipped_specs():
        assert f"({name}.yaml)" in readme


@pytest.mark.parametrize("name", sorted(shipped_specs()))
def test_what_is_written_down_is_read_back_to_an_equal_sweep(name: str) -> None:
    Path("again.yaml").write_text(dump_spec(read_spec(name)), encoding="utf-8")
    assert read_spec("again.yaml") == read_spec(name)


def test_the_three_shapes_of_a_factor_are_told_apart() -> None:
    factors = {
        "economy.ticket": [1, 2.5],
        "economy.inflow": {"low": 0.1, "high": 2.0, "scale": "log"},
        "learning": {"on": {}, "off": {"plasticity.rule": "none"}},
    }
    spec = spec_of(factors=factors, design={"method": "random"})
    assert spec.factors["economy.ticket"] == (1, 2.5)
    assert isinstance(spec.factors["economy.inflow"], Range)
    assert spec.settings_of({"economy.ticket": 1, "economy.inflow": 0.5, "learning": "off"}) == {
        "economy.ticket": 1,
        "economy.inflow": 0.5,
        "plasticity.rule": "none",
    }
    assert make_spec(spec.model_dump(mode="json")) == spec


def test_a_world_beside_its_sweep_is_found_from_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path("study")
    place.mkdir()
    (place / "mine.yaml").write_text("extends: smoke\ngenerations: 7\n", encoding="utf-8")
    (place / "sweep.yaml").write_text(f"base: mine.yaml\n{FACTORS}{METRICS}", encoding="utf-8")
    written = dump_spec(read_spec("study/sweep.yaml"))
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    Path("spec.yaml").write_text(written, encoding="utf-8")
    assert Agenda(read_spec("spec.yaml")).ready({})[0].generations == 7


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "empty sweep (mine.yaml)"),
        ("- 3\n", "not a sweep (mine.yaml)"),
        (f"base: smok\n{FACTORS}{METRICS}", "unknown config (mine.yaml:1)"),
        (f"{FACTORS}", "'metrics' is missing (mine.yaml)"),
        (f"{METRICS}", "'factors' is missing (mine.yaml)"),
        (f"factors: {{}}\n{METRICS}", "nothing is varied (mine.yaml:1)"),
        (f"{FACTORS}metrics: {{}}\n", "nothing is measured (mine.yaml:3)"),
        (f"{METRICS}{FACTORS}seed: 3\n", "unknown setting 'seed' (mine.yaml:6). Did you mean"),
        (f"{METRICS}{FACTORS}samples: 3\n", "unknown setting 'samples' (mine.yaml:6). Did you mean 'design.samples'?"),
        (f"{METRICS}    reduse: mean\n{FACTORS}", "unknown setting 'metrics.success.reduse' (mine.yaml:4)"),
        (f"{METRICS}    sql: SELECT 1\n{FACTORS}", "'metrics.success.figure': a metric has one source (mine.yaml:3"),
        (f"{FACTORS}metrics:\n  success: {{}}\n", "'metrics.success': a metric has one source (mine.yaml:4)"),
        (f"{FACTORS}{METRICS}design:\n  method: gird\n", "bad value for 'design.method' (mine.yaml:7): expected one"),
        (f"{METRICS}factors:\n  economy.ticket: 3\n", "bad value for 'factors.economy.ticket' (mine.yaml:5)"),
        (f"{METRICS}factors:\n  economy.ticket: {{low: 1}}\n", "'factors.economy.ticket.high' is missing (mine.yaml"),
        (
            f"{METRICS}factors:\n  economy.ticket:\n    low: 1\n    high: 2\n    scale: lgo\n",
            "bad value for 'factors.economy.ticket.scale' (mine.yaml:8): expected one of linear, log, got 'lgo'",
        ),
        (f"{METRICS}factors:\n  economy.tikcet: [1]\n", "unknown setting 'economy.tikcet' (mine.yaml:5). Did you mean"),
        (
            f"{METRICS}factors:\n  world:\n    a: {{}}\n    b:\n      economy.tikcet: 1\n",
            "unknown setting 'economy.tikcet' (mine.yaml:8). Did you mean 'economy.ticket'?",
        ),
        (f"{METRICS}{FACTORS}set:\n  seed: 3\n", "'seed' is set by the sweep (mine.yaml:7). Use seeds and root_seed."),
        (f"{FACTORS}metrics:\n  s:\n    figure: succes_rate\n", "no such figure (mine.yaml:5)"),
        (f"{FACTORS}metrics:\n  s:\n    worth: rooted\n", "no such worth (mine.yaml:5)"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: str) -> None:
    assert line_of(text).startswith(line)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"factors": {"a": []}}, "factor 'a' has no level"),
        ({"factors": {"a": [1, 1.0]}}, "factor 'a' has one level twice"),
        ({"factors": {"a": {"low": 1, "high": 2}}}, "'a' is a range, which 'grid' has no levels of"),
        ({"factors": {"a": {"low": 2, "high": 1}}, "design": {"method": "random"}}, "expected low below high"),
        (
            {"factors": {"a": {"low": 0, "high": 1, "scale": "log"}}, "design": {"method": "sobol"}},
            "expected low above 0, got 0",
        ),
        (
            {"factors": {"a": {"low": 1.5, "high": 3, "whole": True}}, "design": {"method": "sobol"}},
            "expected whole numbers, got '1.5 to 3'",
        ),
        ({"design": {"method": "half"}}, "fewer than three factors"),
        (
            {"factors": {"a": [1, 2], "b": [1, 2], "c": [1, 2, 3]}, "design": {"method": "half"}},
            "factor 'c' needs two levels in a half fraction, unless it is crossed: got '3 levels'",
        ),
        ({"design": {"method": "half", "crossed": ["economy.tikcet"]}}, "Did you mean 'economy.ticket'?"),
        ({"factors": {"a": list(range(400)), "b": list(range(400))}}, "at most 100000 cells, got 160000"),
        ({"design": {"method": "adaptive"}}, "Name a metric as design.objective."),
        ({"design": {"method": "adaptive", "objective": "sucess"}}, "Did you mean 'success'?"),
        (
            {"design": {"method": "adaptive", "objective": "w"}, "metrics": {"w": {"worth": "routed"}}},
            "nothing may be tuned on test. Set pool: select for the objective.",
        ),
        (
            {"design": {"method": "adaptive", "objective": "success", "sampler": "cmaes"}},
            "CMA-ES moves between bounds, in two dimensions or more",
        ),
        ({"stop": {"half_width": {"metric": "succes", "below": 0.1}}}, "Did you mean 'success'?"),
        ({"baseline": {"economy.ticket": 3.0}}, "expected one of 0.5, 1.0, got 3.0"),
        ({"baseline": {"economy.inflow": 3.0}}, "no such factor"),
        (
            {"decision": {"question": "?", "metric": "roi", "smallest": 0.1}},
            "no such metric: expected only success, got 'roi'",
        ),
        (
            {
                "factors": {"a": [1, 2, 3]},
                "decision": {"question": "?", "metric": "success", "smallest": 0.1, "factors": ["a"]},
            },
            "factor 'a' needs two levels for its main effect",
        ),
        (
            {
                "factors": {"a": [1, 2]},
                "decision": {
                    "question": "?",
                    "metric": "success",
                    "smallest": 0.1,
                    "factors": ["a"],
                    "within": "a",
                },
            },
            "a factor cannot be judged within itself",
        ),
        ({"seeds": 1_000_000}, "the sweep is too large: expected at most 1000000 runs, got '2 cells x 10"),
    ],
)
def test_a_sweep_that_contradicts_itself_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_spec({"factors": {"economy.ticket": [0.5, 1.0]}, "metrics": SUCCESS, **given})
    assert words in str(caught.value)


def test_a_truth_value_is_another_level_than_a_number() -> None:
    assert spec_of(factors={"a": [True, 1]}).factors["a"] == (True, 1)


def test_a_sweep_that_is_not_there_is_told_with_the_closest_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown sweep: .*got 'smokey'\. Did you mean 'smoke'\?"):
        read_spec("smokey")
