"""A hidden folder is cleared away when its maker is dead, and never before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fcntl", reason="no such locks here")

from evolora_mesa.record.workshop import clear_abandoned, workshop

KILLED = """
import os, signal, sys
from pathlib import Path
from evolora_mesa.record.workshop import workshop
with workshop(Path(sys.argv[1])) as made:
    (made / "half.txt").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def hidden(parent: Path) -> list[Path]:
    return list(parent.glob(".run-*"))


def test_what_is_finished_is_moved_out_and_nothing_stays(tmp_path: Path) -> None:
    with workshop(tmp_path) as made:
        made.rename(tmp_path / "finished")
    assert [path.name for path in tmp_path.iterdir()] == ["finished"]


def test_the_next_maker_clears_what_a_killed_one_left(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=root)
    assert len(hidden(tmp_path)) == 1
    with workshop(tmp_path) as made:
        assert hidden(tmp_path) == [made.parent]
    assert hidden(tmp_path) == []


def test_what_somebody_still_works_in_is_left_alone(tmp_path: Path) -> None:
    with workshop(tmp_path) as made:
        (made / "half.txt").write_text("half")
        with workshop(tmp_path) as other:
            assert sorted(hidden(tmp_path)) == sorted((made.parent, other.parent))
        clear_abandoned(tmp_path)
        assert (made / "half.txt").read_text() == "half"


def test_what_has_only_a_name_like_ours_is_left_alone(tmp_path: Path) -> None:
    """As one whose maker has not taken its lock yet."""
    (tmp_path / ".run-new").mkdir()
    (tmp_path / ".run-notes.txt").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "maker.txt").write_text("mine")
    (tmp_path / ".run-link").symlink_to("elsewhere")
    before = sorted(tmp_path.rglob("*"))
    clear_abandoned(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
