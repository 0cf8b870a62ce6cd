"""User families are tried out at the door, not in the middle of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from evolora_mesa.config import TasksConfig
from evolora_mesa.errors import TaskError
from evolora_mesa.ground import ground_of

FAMILY = """
from evolora_mesa.tasks import Family, Problem

class Rhyme(Family):
    name = "rhyme"
    templates = ("Rhyme with:",)
    {extra}
    def problem(self, rng, depth):
        {body}
"""
GOOD = "word = str(rng.randrange(10**6)); return Problem(word, word[::-1], 'x')"


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    module = f"rhymes_{abs(hash(request.node.name)) % 10**9}"
    monkeypatch.syspath_prepend(tmp_path)

    def write(body: str, extra: str = "") -> TasksConfig:
        (tmp_path / f"{module}.py").write_text(FAMILY.format(body=body, extra=extra), encoding="utf-8")
        return TasksConfig(families=("math",), depths=2, user_families=(f"{module}:Rhyme",))

    return write


def test_a_sound_family_joins_the_shipped_ones(family) -> None:
    source, contracts = ground_of(family(GOOD))
    assert list(source.families) == ["math", "rhyme"]
    assert contracts.style("rhyme", 1) == "terse"


@pytest.mark.parametrize(
    ("body", "extra", "words"),
    [
        (GOOD, "deepest = 1", "not as deep"),
        ("raise RuntimeError('boom')", "", "RuntimeError: boom"),
        ("return Problem(str(rng.randrange(10**6)), 7, 'x')", "", "no gradable task"),
        ("return Problem('same', 'same', 'x')", "", "no prompt of this cell"),
        ("return 'nothing'", "", "ValueError"),
        (
            GOOD,
            "def grade(self, task, answer): from evolora_mesa.tasks import Grade; return Grade('terse', False, 0.0)",
            "no gradable task",
        ),
    ],
    ids=["shallow", "raises", "number", "one prompt", "no problem", "never right"],
)
def test_an_unsound_family_is_refused_in_one_line(family, body: str, extra: str, words: str) -> None:
    with pytest.raises(TaskError, match=words) as refusal:
        ground_of(family(body, extra))
    assert "\n" not in str(refusal.value)
