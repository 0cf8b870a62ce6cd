"""What is swept: worlds of ours and models of others. Names are checked, and jobs say all that a worker must know."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import BOLTZMANN, spec_of

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError
from evolora_mesa.record.reporters import MODEL_REPORTERS
from evolora_mesa.study.sweep.foreign import found
from evolora_mesa.study.sweep.job import Job
from evolora_mesa.study.sweep.subject import subject_of

GINI = {"gini": {"figure": "Gini"}}

MODELS = """
from typing import Literal
import mesa

class Plain(mesa.Model):
    def __init__(self, size: int = 3, share: float = 0.5, kind: Literal["a", "b"] = "a", rng=None):
        super().__init__(rng=rng)
        self.given = (size, share, kind)
        self.datacollector = mesa.DataCollector({"Size": lambda model: size, "Share": lambda model: share})

class Demanding(mesa.Model):
    def __init__(self, size, *, seed=None):
        super().__init__(seed=seed)

class Open(mesa.Model):
    def __init__(self, **settings):
        super().__init__(rng=settings.pop("rng"))
        self.given = settings

class Seedless(mesa.Model):
    def __init__(self, size=3):
        super().__init__()

class Broken(mesa.Model):
    def __init__(self, size=3, seed=None):
        raise SystemExit("gone")

class Other:
    pass
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module beside its user."""
    (tmp_path / "swept_models.py").write_text(MODELS, encoding="utf-8")
    (tmp_path / "broken_models.py").write_text("import nowhere_at_all\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield "swept_models"
    sys.modules.pop("swept_models", None)


def world_job(levels: dict[str, Any], **given: Any) -> Job:
    return subject_of(spec_of(**given)).job(levels, 11)


def test_a_job_holds_the_whole_resolved_world() -> None:
    job = world_job({"economy.ticket": 0.5}, set={"population.initial": 3})
    whole = WorldConfig.model_validate({**job.settings, "seed": job.seed, "generations": job.generations})
    expected = {"economy.ticket": 0.5, "population.initial": 3, "host.threads": 1, "seed": 11, "name": "ecology"}
    assert whole == load_config("smoke", expected)
    assert not {"name", "seed", "generations"} & job.settings.keys()


def test_a_change_of_any_setting_seed_or_length_is_another_run_and_of_what_is_measured_not() -> None:
    job = world_job({"economy.ticket": 0.5})
    assert job.key == world_job({"economy.ticket": 0.5}).key
    assert job.key == world_job({"economy.ticket": 0.5}, metrics={"alive": {"figure": "population"}}, keep="all").key
    others = [
        world_job({"economy.ticket": 0.6}),
        world_job({"economy.ticket": 0.5}, set={"tasks.depths": 1}),
        world_job({"economy.ticket": 0.5}, generations=9),
        world_job({"economy.ticket": 0.5}, stop={"plateau": {"figure": "success_rate"}}),
        subject_of(spec_of()).job({"economy.ticket": 0.5}, 12),
    ]
    assert len({job.key, *(other.key for other in others)}) == 6


def test_runs_share_the_machine_one_thread_each_unless_it_is_set(tmp_path: Path) -> None:
    base = tmp_path / "wide.yaml"
    base.write_text("extends: smoke\nhost:\n  threads: 4\n", encoding="utf-8")
    assert world_job({"economy.ticket": 0.5}, base=str(base)).settings["host"]["threads"] == 1
    assert world_job({"economy.ticket": 0.5}, set={"host.threads": 2}).settings["host"]["threads"] == 2


def test_the_length_is_the_sweep_s_or_the_world_s_and_may_be_varied() -> None:
    assert world_job({"economy.ticket": 0.5}).generations == 3
    assert world_job({"economy.ticket": 0.5}, generations=9).generations == 9
    assert world_job({"generations": 5}, factors={"generations": [5, 6]}).generations == 5
    with pytest.raises(ConfigError, match="the length is given twice"):
        subject_of(spec_of(factors={"generations": [5, 6]}, generations=9))


def test_how_long_a_cell_is_measured_is_no_business_of_a_run() -> None:
    job = world_job({"economy.ticket": 0.5}, stop={"half_width": {"metric": "success", "below": 0.1}})
    assert job.key == world_job({"economy.ticket": 0.5}).key


def test_a_section_and_an_entry_of_a_table_may_be_varied_too() -> None:
    factors = {"tasks.styles.math": ["terse", "quoted"], "world": {"poor": {"economy": {"inflow": 0.1}}}}
    job = world_job({"tasks.styles.math": "quoted", "world": "poor"}, factors=factors)
    assert job.settings["tasks"]["styles"] == {"math": "quoted"}
    assert job.settings["economy"]["inflow"] == 0.1


def test_levels_that_cannot_be_are_told_when_the_job_is_made() -> None:
    with pytest.raises(ConfigError, match=r"bad value for 'economy\.ticket'.*expected number in \[0, 1000000\]"):
        world_job({"economy.ticket": -1}, factors={"economy.ticket": [-1, 1]})


def test_figures_of_a_world_are_its_reporters() -> None:
    assert subject_of(spec_of()).figures == frozenset(MODEL_REPORTERS)
    with pytest.raises(ConfigError, match=r"no such figure.*Did you mean 'success_rate'\?"):
        subject_of(spec_of(stop={"plateau": {"figure": "succes_rate"}}))


def test_a_model_of_mesa_s_own_examples_can_be_swept() -> None:
    spec = spec_of(model=BOLTZMANN, base=None, factors={"n": [5, 9]}, set={"width": 4}, metrics=GINI, generations=6)
    subject = subject_of(spec)
    job = subject.job({"n": 9}, 3)
    assert subject.figures == {"Gini"}
    assert (job.settings, job.generations) == ({"width": 4, "n": 9}, 6)
    model = found(job)
    assert (len(model.agents), model.grid.width) == (9, 4)
    assert [found(job).random.random() for _ in range(2)] == [model.random.random()] * 2  # the seed has arrived


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"factors": {"m": [1]}}, "unknown setting 'm': expected an argument of BoltzmannWealth: n, width, height"),
        ({"factors": {"widht": [1]}}, "Did you mean 'width'?"),
        ({"factors": {"seed": [1]}}, "'seed' is set by the sweep. Use seeds and root_seed."),
        ({"metrics": {"g": {"figure": "gini"}}}, "no such figure: expected Gini, got 'gini'. Did you mean 'Gini'?"),
        ({"metrics": {"g": {"worth": "routed"}}}, "worth is measured on worlds of ours only"),
        ({"generations": None}, "the length of a run is missing. Set generations."),
        ({"base": "smoke"}, "a base is a world of ours"),
        ({"factors": {"n": [float("inf")]}}, "bad value for 'factors[n]'"),
        ({"set": {"n": float("nan")}, "factors": {"width": [3]}}, "bad value for 'n': expected a finite number"),
        ({"factors": {"n": ["many"]}}, "the model cannot be founded"),
        ({"model": "nowhere_at_all.models:Model"}, "no such module (nowhere_at_all.models)"),
        ({"model": "mesa.nowhere:Model"}, "no such module (mesa.nowhere)"),
        ({"model": "broken_models:Model"}, "the model's module cannot be imported (broken_models)"),
        ({"model": f"{BOLTZMANN}y"}, "Did you mean 'BoltzmannWealth'?"),
        ({"model": "swept_models:Other"}, "not a Mesa model (swept_models:Other)"),
        ({"model": "swept_models"}, "expected 'package.module:Class', got 'swept_models'"),
    ],
)
def test_mistakes_about_a_model_are_told_before_anything_runs(given: dict[str, Any], words: str, models: str) -> None:
    told = {"model": BOLTZMANN, "base": None, "factors": {"n": [5]}, "metrics": GINI, "generations": 6, **given}
    with pytest.raises(ConfigError) as caught:
        subject_of(spec_of(**told))
    assert words in str(caught.value)


def made(model: str, models: str, metrics: dict[str, Any], **settings: Any) -> Any:
    spec = spec_of(
        model=f"{models}:{model}",
        base=None,
        factors={name: [value] for name, value in settings.items()},
        metrics=metrics,
        generations=2,
    )
    return found(subject_of(spec).job(settings, 5))


def test_arguments_are_checked_against_what_the_constructor_declares(models: str) -> None:
    metrics = {"size": {"figure": "Size"}}
    assert made("Plain", models, metrics, size=4, share=1, kind="b").given == (4, 1, "b")
    for wrong in ({"size": 1.5}, {"size": True}, {"share": "x"}, {"kind": "c"}):
        with pytest.raises(ConfigError, match=f"bad value for '{next(iter(wrong))}'"):
            made("Plain", models, metrics, **wrong)


def test_an_argument_without_a_default_has_to_be_given(models: str) -> None:
    given = {"model": f"{models}:Demanding", "base": None, "generations": 2, "metrics": {"n": {"sql": "SELECT 1"}}}
    subject = subject_of(spec_of(**given, factors={"size": [3], "world": {"whole": {}}}))
    assert subject.job({"size": 3, "world": "whole"}, 1).settings == {"size": 3}
    subject = subject_of(spec_of(**given, factors={"world": {"whole": {}}}))
    with pytest.raises(ConfigError, match="'size' is missing"):
        subject.job({"world": "whole"}, 1)


def test_a_model_that_takes_anything_gets_it_with_the_seed(models: str) -> None:
    assert made("Open", models, {"n": {"sql": "SELECT 1"}}, anything=3).given == {"anything": 3}


def test_a_model_without_a_datacollector_has_no_figures(models: str) -> None:
    with pytest.raises(ConfigError, match="expected nothing: the model has no DataCollector"):
        made("Open", models, {"n": {"figure": "x"}}, anything=3)


def test_a_model_that_takes_no_seed_is_refused(models: str) -> None:
    with pytest.raises(ConfigError, match="the model takes no seed"):
        made("Seedless", models, {"n": {"figure": "x"}}, size=3)


def test_a_constructor_that_wants_to_end_the_program_is_an_error_like_any_other(models: str) -> None:
    with pytest.raises(ConfigError, match=r"the model cannot be founded .*SystemExit: gone"):
        made("Broken", models, {"n": {"figure": "x"}}, size=3)
