"""Host folders, made once, and a fresh service for every test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_hosts import load_service, make_host

from evolora_mesa.host import HostService


@pytest.fixture(scope="session")
def host_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Kind of host -> its folder; to be read only."""
    made: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in made:
            made[kind] = make_host(tmp_path_factory.mktemp(kind), kind)
        return made[kind]

    return folder


@pytest.fixture
def service(host_folder: Callable[[str], Path]) -> HostService:
    """A small random Qwen3 host."""
    return load_service(host_folder("qwen3"))
