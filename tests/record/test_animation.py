"""The cells of a run move, one picture a generation, or fewer of a long run."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from made_run import made_config, make_run
from PIL import Image

from evolora_mesa.errors import RunError
from evolora_mesa.record.layout import STORE_FILE
from evolora_mesa.record.report.animation import draw
from evolora_mesa.record.store import RunStore


def test_every_generation_is_a_picture_and_the_last_one_stays(tmp_path: Path) -> None:
    with Image.open(io.BytesIO(draw(make_run(tmp_path / "run", 5), rate=10))) as pictures:
        assert pictures.format == "GIF" and pictures.n_frames == 6 and pictures.info["loop"] == 0
        assert pictures.info["duration"] == 100
        pictures.seek(5)
        assert pictures.info["duration"] > 1000


def test_of_a_long_run_some_are_left_out(tmp_path: Path) -> None:
    with Image.open(io.BytesIO(draw(make_run(tmp_path / "run", 60), frames=4))) as pictures:
        assert pictures.n_frames == 4


def test_a_run_without_cells_is_refused(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / STORE_FILE, made_config()):
        pass
    with pytest.raises(RunError, match="no cells to draw"):
        draw(tmp_path)
