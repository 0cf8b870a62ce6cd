"""With every mechanism of society at work, a run that is cut off goes on to the same end, and no energy is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from colony_world import decide_by_date
from test_cli_resume import adapters, digest, state

from evolora_mesa.cli import main
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.layout import STORE_FILE
from evolora_mesa.record.store import RunStore
from evolora_mesa.society.judge import Contender, Duel
from evolora_mesa.society.ratings import RatingBook

CUT = 7  # generation in which memory runs out, between two checkpoints
WORLD = """
extends: smoke
name: everything
generations: 10
host: {{tune_cpu: false}}
tasks: {{families: [word.count, math, sequence, logic], depths: 2}}
population: {{initial: 10, minimum: 4, maximum: 14, episodes: 6}}
economy: {{inflow: 3.0, ticket: 0.6, prompt_token: 0.0001, generated_token: 0.0004}}
gate: {{least_effect: 0.01}}
seasons:
  schedule:
    - {{at: 4, shift: contracts}}
    - {{at: 6, leave: [logic], winter: {{inflow: 0.5, until: 9}}}}
    - {{at: 9, come: [logic]}}
society:
  colonies:
    enabled: true
    modes: [vote, confidence, skill, handoff]
    rest: 1
    probe_every: 2
    window: 4
    lessons: 8
    epochs: 1
    reserve: 0.05
    entry: 0.5
    episodes: 3
  board: {{enabled: true, evidence: 2}}
  knowledge: {{enabled: true, form: example}}
  policy: {{enabled: true, every: 3, sampled: true}}
  router: {{enabled: true, episodes: 8}}
  orchestrator: {{enabled: true, every: 2, composites: 4}}
  judge: {{enabled: true, source: "{ratings}", every: 2, share: 0.5}}
  skills: {{enabled: true}}
record: {{checkpoint_every: 2}}
"""
# Kinds of events by which each mechanism is known, all of them before the cut, and after it too.
AT_WORK = {"colony_worked", "read", "kept", "policy", "routed", "composite", "judged", "adapted"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings, with a judge that follows a script; trials of colonies pass soon, and totals are watched."""
    decide_by_date(monkeypatch)
    record = EcologyModel.record

    def watched(model: EcologyModel) -> None:
        assert model.ledger.total() == 0, f"generation {model.tick}"
        record(model)

    monkeypatch.setattr(EcologyModel, "record", watched)
    book = RatingBook(tmp_path / "ratings.jsonl")
    ticks, plain = (Contender(organelle=1, text=text, right=True) for text in ("`4`", "4"))
    for number in range(6):
        duel = Duel(family="math", depth=1, prompt="Add: 2+2\nAnswer:", a=ticks, b=plain)
        book.add(duel, "tie" if number % 3 else "a", number)
    path = tmp_path / "everything.yaml"
    path.write_text(WORLD.format(ratings=book.path.as_posix()), encoding="utf-8")
    return path


def run(world: Path, folder: Path) -> Path:
    assert main(["run", str(world), "--quiet", "--out", str(folder)]) == 0
    return folder


def kinds(folder: Path, condition: str) -> set[str]:
    with RunStore.open(folder / STORE_FILE) as store:
        return {kind for (kind,) in store.rows(f"SELECT DISTINCT kind FROM events WHERE generation {condition}")}


def ledger(folder: Path) -> list[tuple[object, ...]]:
    with RunStore.open(folder / STORE_FILE) as store:
        return sorted(store.rows("SELECT * FROM ledger"))


def test_a_run_with_everything_on_that_is_cut_off_goes_on_to_the_same_end(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unbroken, broken = run(world, tmp_path / "unbroken"), tmp_path / "broken"
    assert kinds(unbroken, f"< {CUT}") >= AT_WORK | {"season", "winter_began", "families_left", "colony_founded"}
    assert kinds(unbroken, f"> {CUT}") >= AT_WORK | {"winter_ended", "families_came"}

    settle = EcologyModel.settle

    def failing(model: EcologyModel, *given: object) -> object:
        if model.tick == CUT:
            raise MemoryError("in the middle of a generation")
        return settle(model, *given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(EcologyModel, "settle", failing)
        assert main(["run", str(world), "--quiet", "--out", str(broken)]) != 0
    assert digest(broken) is None
    assert main(["resume", str(broken), "--quiet"]) == 0
    assert digest(broken) == digest(unbroken) is not None
    assert adapters(broken) == adapters(unbroken)
    assert state(broken) == state(unbroken)
    assert ledger(broken) == ledger(unbroken) != []
    capsys.readouterr()
    assert main(["verify", str(broken)]) == 0
    assert "ok: generation 10, finished" in capsys.readouterr().out
