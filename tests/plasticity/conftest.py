"""Tiny random hosts, made once for all tests of learning."""

from __future__ import annotations

from pathlib import Path

import pytest
from plastic_world import random_host_folder

from evolora_mesa.host import HostService


@pytest.fixture(scope="session")
def qwen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_host_folder("qwen3", tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(scope="session")
def qwen(qwen_folder: Path) -> HostService:
    return HostService.load(qwen_folder, device="cpu", tuned=False)


@pytest.fixture(scope="session")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> HostService:
    folder = random_host_folder("gemma3", tmp_path_factory.mktemp("gemma3"))
    return HostService.load(folder, device="cpu", tuned=False)
