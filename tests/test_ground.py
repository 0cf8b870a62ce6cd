"""User families are tried out at the door, not in the middle of a run."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from evolora_mesa.config import TasksConfig
from evolora_mesa.errors import TaskError
from evolora_mesa.ground import ground_of
from evolora_mesa.tasks import Pool

FAMILY = """
import random
from evolora_mesa.tasks import Family, Grade, Problem

class Rhyme(Family):
    name = "rhyme"
    templates = ("Rhyme with:",)
    {extra}
    def problem(self, rng, depth):
        {body}
"""
GOOD = "word = str(rng.randrange(10**6)); return Problem(word, word[::-1] + 'y', 'x')"


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    module = f"rhymes_{abs(hash(request.node.name)) % 10**9}"
    monkeypatch.syspath_prepend(tmp_path)

    def write(body: str, extra: str = "", **settings: object) -> TasksConfig:
        (tmp_path / f"{module}.py").write_text(FAMILY.format(body=body, extra=extra), encoding="utf-8")
        return TasksConfig(families=("math",), depths=2, user_families=(f"{module}:Rhyme",), **settings)

    return write


def test_a_sound_family_joins_the_shipped_ones(family) -> None:
    source, contracts = ground_of(family(GOOD))
    assert list(source.families) == ["math", "rhyme"]
    assert contracts.style("rhyme", 1) == "terse"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("return Problem(str(rng.randrange(10**6)), 7, 'x')", r"makes no text \(rhyme:1, .*:Rhyme, target\).*got 7"),
        ("return Problem('same', 'same', 'x')", "no prompt of this cell"),
        ("return 'nothing'", "ValueError"),
        (GOOD.replace("rng", "random"), "another task from the same random numbers"),
    ],
    ids=["raises", "exits", "number", "one prompt", "no problem", "global generator"],
)
def test_a_family_of_unsound_problems_is_refused_in_one_line(family, body: str, words: str) -> None:
    with pytest.raises(TaskError, match=words) as refusal:
        ground_of(family(body))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("deepest = 1", "not as deep"),
        ("def grade(self, task, answer): return Grade('terse', False, 0.0)", "grades its own target wrong"),
        ("def grade(self, task, answer): return Grade('terse', True, 1.0)", "grades a wrong answer right"),
        ("def grade(self, task, answer): return Grade('terse', answer in (task.target, ''), 0.0)", "got \"answer ''"),
        ("def grade(self, task, answer): return {task.target: Grade('terse', True, 1.0)}[answer]", "KeyError: 'x'"),
        ("def grade(self, task, answer): return Grade('terse', answer[0] == task.target[0], 0.0)", "IndexError"),
    ],
    ids=["shallow", "never right", "always right", "pays silence", "knows no wrong answer", "knows no empty answer"],
)
def test_a_family_of_unsound_grades_is_refused_in_one_line(family, extra: str, words: str) -> None:
    with pytest.raises(TaskError, match=words) as refusal:
        ground_of(family(GOOD.replace("rng.randrange(10**6)", "rng.randrange(5, 10**6) * 10 + 7"), extra))
    assert "\n" not in str(refusal.value)


def test_a_family_that_seeds_the_global_generator_disturbs_no_other(family) -> None:
    source, _ = ground_of(family(f"random.seed(1); {GOOD}"))
    rng = random.Random(2)
    prompts = {source.draw(Pool.LIVE, "rhyme", 1, rng).prompt for _ in range(50)}
    maths = [source.draw(Pool.LIVE, "math", 2, random.Random(3)) for _ in range(2)]
    assert len(prompts) == 50
    assert maths[0] == maths[1]


@pytest.mark.parametrize(
    ("settings", "where"),
    [({"styles": {"rime": "terse"}}, "tasks.styles"), ({"cell_styles": {"rime:1": "terse"}}, "tasks.cell_styles")],
)
def test_a_style_for_a_family_that_nobody_asks_is_refused(family, settings: dict, where: str) -> None:
    with pytest.raises(TaskError, match=rf"not asked \({where}\).*got 'rime'\. Did you mean 'rhyme'"):
        ground_of(family(GOOD, **settings))
    source, contracts = ground_of(family(GOOD, styles={"rhyme": "quoted"}, cell_styles={"rhyme:2": "ticks"}))
    assert [contracts.style("rhyme", depth) for depth in (1, 2)] == ["quoted", "ticks"]
    assert "rhyme" in source.families
