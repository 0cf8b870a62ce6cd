"""One petri, and one with random weights, for all tests of studies."""

from __future__ import annotations

import pytest

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.host import HostService


@pytest.fixture(scope="session")
def petri() -> HostService:
    return HostService.load("petri")


@pytest.fixture(scope="session")
def random_petri() -> HostService:
    return HostService.load("petri", random_weights=True)


@pytest.fixture(scope="session")
def small_world() -> WorldConfig:
    """Two families x two depths, and four founders, so that 256 episodes are eight generations."""
    return load_config(
        "ecology",
        {
            "tasks.families": ["json.repair", "string.ops"],
            "tasks.depths": 2,
            "population.initial": 4,
            "population.minimum": 2,
            "population.maximum": 6,
        },
    )
