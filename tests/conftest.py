"""Every test runs offline and on one thread: sums over several threads differ in the last bit."""

from __future__ import annotations

import gc
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

from collections.abc import Iterator

import pytest
import torch  # after them: libraries read the variables when they are imported

from evolora_mesa.host import HostService

torch.set_num_threads(1)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: to look through it in search of garbage takes half a second every time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def untuned() -> Iterator[None]:
    """Settings of the whole process that a test may leave behind: tuned products round otherwise.

    Mended after it too, since the fixtures of the next module are made before any of its tests begins.
    """
    _untune()
    yield
    _untune()


def _untune() -> None:
    torch.set_float32_matmul_precision("highest")
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def petri() -> HostService:
    """The shipped host, loaded once for all worlds; it is frozen, so they can share it."""
    return HostService.load("petri", device="cpu", tuned=False)
