"""The check before the start: how much there is to do, how long it takes, and what cannot be run at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from small_sweeps import lived, measured, spec_of

from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.check import MOST_RUNS, Pilot, fly, plan_of
from evolora_mesa.study.sweep.engine import Ended
from evolora_mesa.study.sweep.job import Job, Result


@dataclass
class Timed:
    """An engine whose runs take 5 seconds and 2 more a generation, and leave 1000 bytes and 300 more."""

    failure: str = ""
    begun: list[Job] = field(default_factory=list)
    free: int = 1

    def begin(self, job: Job, folder: Path) -> None:
        self.begun.append(job)
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "file").write_bytes(b"x" * (1000 + 300 * job.generations))

    def wait(self, seconds: float) -> Sequence[Ended]:
        job = self.begun[-1]
        if self.failure:
            return [Ended(job, Result(failure="raised", error=self.failure))]
        return [Ended(job, measured(1.0, wall_seconds=5.0 + 2 * job.generations))]

    def __enter__(self) -> Timed:
        return self

    def __exit__(self, *error: object) -> None: ...


def pilot_of(engine: Timed, tmp_path: Path, generations: int) -> Pilot:
    return fly(Agenda(spec_of(generations=generations)).ready({})[0], engine, tmp_path)


@pytest.mark.parametrize("generations", [0, 3, 4, 5, 64])
def test_a_pilot_of_a_few_generations_foretells_the_whole_run(tmp_path: Path, generations: int) -> None:
    engine = Timed()
    assert pilot_of(engine, tmp_path, generations) == Pilot(5.0 + 2 * generations, 1000 + 300 * generations)
    assert max(job.generations for job in engine.begun) <= 4


def test_a_pilot_that_fails_says_so_and_foretells_nothing(tmp_path: Path) -> None:
    pilot = pilot_of(Timed(failure="ValueError: no"), tmp_path, 9)
    assert pilot == Pilot(None, None, "ValueError: no")
    plan = plan_of(Agenda(spec_of()), {}, 2, pilot)
    assert plan.seconds is None
    assert plan.lines()[1] == "no estimate, the pilot failed: ValueError: no"


def test_a_plan_is_told_in_two_lines() -> None:
    agenda = Agenda(spec_of(name="mine", factors={"economy.ticket": list(range(16))}, seeds=4))
    plan = plan_of(agenda, {}, 2, Pilot(40.0, 2_800_000))
    assert plan.lines() == [
        "mine: 16 cells x 4 seeds = 64 runs of 3 generations",
        "64 runs x ~40 s / 2 workers = 21 min, 179 MB",
    ]
    assert plan.objections() == []


def test_what_is_done_already_is_not_counted_again_and_tells_how_long_runs_take() -> None:
    agenda = Agenda(spec_of(seeds=4))
    done = {
        job.key: measured(1.0, wall_seconds=seconds) for job, seconds in zip(agenda.ready({}), (2, 4, 6), strict=False)
    }
    plan = plan_of(agenda, done, 2)
    assert (plan.done, plan.runs, plan.seconds) == (3, 5, 3 * 4.0)  # the fifth run keeps one worker waiting
    assert plan.lines()[0].endswith("= 8 runs of 3 generations; 3 are done")
    assert plan_of(agenda, lived(agenda.ready({}), lambda *_: 1.0), 2).runs == 0


def test_lengths_that_differ_between_cells_and_numbers_that_are_bounds_are_told_as_such() -> None:
    agenda = Agenda(
        spec_of(factors={"generations": [2, 9]}, seeds=5, stop={"half_width": {"metric": "success", "below": 1}})
    )
    assert plan_of(agenda, {}, 2).lines() == ["sweep: 2 cells x 5 seeds = at most 10 runs of 2 to 9 generations"]


def test_cells_that_cannot_be_run_are_named_with_their_levels() -> None:
    plan = plan_of(Agenda(spec_of(factors={"adapter.rank": [2, 8], "adapter.max_rank": [4, 8]})), {}, 1)
    assert plan.lines()[-1].startswith("cell 2 (adapter.rank=8, adapter.max_rank=4) cannot be run: 'adapter.rank': ")
    assert plan.objections() == ["1 cells cannot be run and would be left out"]


def test_of_many_cells_that_cannot_be_run_some_are_named() -> None:
    plan = plan_of(Agenda(spec_of(factors={"economy.ticket": [1, *range(-40, 0)]})), {}, 1)
    assert len(plan.lines()) == 12
    assert plan.lines()[-1] == "and 30 more cells cannot be run"


def test_many_runs_and_long_ones_have_to_be_asked_for_twice() -> None:
    agenda = Agenda(spec_of(seeds=MOST_RUNS // 2))
    assert plan_of(agenda, {}, 2).objections() == []
    assert plan_of(agenda, {}, 2, Pilot(36.0, 1)).objections() == []
    assert plan_of(agenda, {}, 2, Pilot(37.0, 1)).objections() == ["62 min are more than 60 min"]
    assert plan_of(Agenda(spec_of(seeds=MOST_RUNS // 2 + 1)), {}, 2).objections() == ["202 runs are more than 200"]
