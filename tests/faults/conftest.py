"""One run that nobody disturbs, to hold all others against."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import pytest
from fault_processes import WORLD, evolora

if "forkserver" not in multiprocessing.get_all_start_methods():
    collect_ignore_glob = ["test_*.py"]  # as on Windows, which has no signals either


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody disturbed. Not to be changed."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    ended = evolora(*WORLD, "--out", str(folder), said=folder.parent / "said.txt")
    assert ended.code == 0, ended.said
    return folder


@pytest.fixture
def run(unbroken: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    return Path(shutil.copytree(unbroken, tmp_path / "run"))
