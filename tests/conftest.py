"""Every test runs offline and on one thread: sums over several threads differ in the last bit."""

from __future__ import annotations

import gc
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import pytest
import torch  # after them: libraries read the variables when they are imported

from evolora_mesa.host import HostService

torch.set_num_threads(1)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: to look through it in search of garbage takes half a second every time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def untuned() -> None:
    """Settings of the whole process that an earlier test may have left behind: tuned products round otherwise."""
    torch.set_float32_matmul_precision("highest")
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def petri() -> HostService:
    """The shipped host, loaded once for all worlds; it is frozen, so they can share it."""
    return HostService.load("petri", device="cpu", tuned=False)
