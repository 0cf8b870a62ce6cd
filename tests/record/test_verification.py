"""What is verified of a run that is being written is of one moment."""

from __future__ import annotations

from pathlib import Path

import pytest
from world_fixtures import live, tiny_world

from evolora_mesa.host import HostService
from evolora_mesa.record import verification
from evolora_mesa.record.invariants import Finding, check
from evolora_mesa.record.runfolder import RunFolder
from evolora_mesa.record.store import RunStore


@pytest.fixture
def overtaken(petri: HostService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of two generations, whose writer lives another one while the rows of these are checked."""
    world = tiny_world(petri)
    folder = RunFolder(tmp_path / "run", world.config)
    folder.attach(world)
    live(world, 2)

    def slow(store: RunStore) -> list[Finding]:
        found = check(store)
        live(world, 1)
        folder.checkpoint(world)
        folder.__exit__(None, None, None)
        return found

    monkeypatch.setattr(verification, "check", slow)
    return tmp_path / "run"


def test_the_digest_is_that_of_the_rows_that_were_checked(overtaken: Path) -> None:
    found = verification.verify(overtaken)
    with RunStore.open(overtaken / "run.sqlite") as store:
        assert store.generation == 3
        assert (found.generation, found.digest) == (2, store.digest_of(2))


def test_a_checkpoint_that_is_newer_than_these_is_no_fault(overtaken: Path) -> None:
    assert verification.verify(overtaken).findings == []
    assert (overtaken / "checkpoint" / "gen-000003").is_dir()


def test_a_run_that_goes_on_meanwhile_is_not_blamed_for_its_missing_summary(
    petri: HostService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, run = tiny_world(petri), tmp_path / "run"
    with RunFolder(run, world.config) as folder:
        folder.attach(world)
        folder.finish(world, {})

    def slow(store: RunStore) -> list[Finding]:
        with RunFolder.reopen(run, world.config, 0):
            return check(store)

    monkeypatch.setattr(verification, "check", slow)
    found = verification.verify(run)
    assert found.ok and not found.finished
