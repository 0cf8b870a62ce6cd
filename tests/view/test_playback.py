"""A generation on record looks as it looked when it was lived."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_run import make_run
from test_picture import same
from world_fixtures import lively_world

from evolora_mesa.errors import RunError
from evolora_mesa.host import HostService
from evolora_mesa.record.recorder import Recorder
from evolora_mesa.record.store import RunStore
from evolora_mesa.view.picture import Picture, TrialView, take_picture
from evolora_mesa.view.playback import read_recording

COLUMNS = ("id", "lineage", "colony", "skill", "family", "depth", "energy", "roi", "age", "on_trial")


def plain(trial: TrialView) -> str:
    """All that is known of a trial, as text: nan is nan."""
    return repr(trial)


@pytest.fixture(scope="module")
def lived(petri: HostService, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Picture]]:
    """A world with births, trials and elites, on record, and the pictures that were taken while it lived."""
    folder = tmp_path_factory.mktemp("lived")
    model = lively_world(petri, **{"gate.enabled": True, "gate.budget": 0.2})
    with RunStore.create(folder / "run.sqlite", model.config) as store:
        Recorder(store, model.config.record).attach(model)
        pictures = [take_picture(model)]
        for _ in range(16):
            model.step()
            pictures.append(take_picture(model, pictures[-1]))
    return folder, pictures


def test_every_generation_is_replayed_as_it_was(lived: tuple[Path, list[Picture]]) -> None:
    folder, pictures = lived
    recording = read_recording(folder)
    assert recording.last == 16 and recording.families == pictures[0].families
    for tick, then in enumerate(pictures):
        now = recording.picture(tick)
        assert now.tick == then.tick and now.note == then.note and now.alpha == then.alpha
        for name in ("price", "pool", "success", "occupancy", "open"):
            assert np.allclose(now.layers[name], then.layers[name], equal_nan=True), (tick, name)
        for name in COLUMNS[:3] + COLUMNS[4:]:
            ours, theirs = getattr(now.organelles, name), getattr(then.organelles, name)
            assert np.allclose(ours, theirs, equal_nan=True), (tick, name)
        assert now.events == then.events, tick
        assert [plain(trial) for trial in now.trials] == [plain(trial) for trial in then.trials], tick
        assert [plain(verdict) for verdict in now.verdicts] == [plain(verdict) for verdict in then.verdicts], tick
        assert same(now.series["success_rate"], then.series["success_rate"])
        assert now.archive is not None and then.archive is not None
        for name in ("family", "depth", "bin", "objective", "organelle"):
            assert np.allclose(getattr(now.archive, name), getattr(then.archive, name)), (tick, name)
    assert pictures[-1].verdicts and len(pictures[-1].archive.objective) > 0  # so there was something to compare


def test_a_generation_beyond_the_record_is_its_last(lived: tuple[Path, list[Picture]]) -> None:
    recording = read_recording(lived[0])
    assert recording.picture(99).tick == 16 and recording.picture(-1).tick == 0


def test_an_unchanged_record_is_not_read_again(tmp_path: Path) -> None:
    first = read_recording(make_run(tmp_path / "run", 3))
    assert read_recording(first.folder, first) is first
    longer = read_recording(make_run(tmp_path / "longer", 5), first)
    assert longer.last == 5


def test_an_extinct_world_says_so_at_its_end_only(tmp_path: Path) -> None:
    recording = read_recording(make_run(tmp_path / "run", 4, extinct=True))
    assert "extinct since generation 4" in recording.picture(4).note
    assert recording.picture(3).note == ""


def test_what_was_not_recorded_is_not_made_up(tmp_path: Path) -> None:
    picture = read_recording(make_run(tmp_path / "run", 3, episodes=False)).picture(3)
    assert (picture.organelles.skill == -1).all() and np.isnan(picture.layers["frozen"]).all()


def test_no_run_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no store of a run here"):
        read_recording(tmp_path)
