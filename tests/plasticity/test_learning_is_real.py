"""On the shipped host, single-family specialists learn by reward alone; the controls do not."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from evolora_mesa.config import PlasticityConfig
from evolora_mesa.host import HostService
from evolora_mesa.shipped import shipped_folder
from evolora_mesa.study.lanes import train_lanes
from evolora_mesa.study.panels import draw_panel, family_of, success_matrix
from evolora_mesa.tasks import SHIPPED, Contracts, Pool, TaskSource

pytestmark = pytest.mark.skipif(
    not (shipped_folder("models") / "petri" / "model.safetensors").is_file(),
    reason="the shipped host is not there",
)

FAMILIES = list(SHIPPED)
DEPTHS = 4
NOISE = 0.06  # two standard errors of a difference of two panels of this size, rounded up


@pytest.fixture(scope="module")
def petri() -> HostService:
    return HostService.load("petri", device="cpu", tuned=False)


def specialists(petri: HostService, rule: str, families: list[str], *, episodes: int, per_cell: int = 12) -> np.ndarray:
    """``[families + 1, families]`` greedy success on unseen tasks: the bare host, then each specialist."""
    source, contracts = TaskSource(SHIPPED), Contracts()
    bank = petri.new_bank(["last.down_proj", "lm_head"], capacity=len(families) + 1)
    slots = bank.allocate(len(families), 4, torch.Generator().manual_seed(0))
    train_lanes(
        petri,
        bank,
        slots,
        [[(family, depth) for depth in range(1, DEPTHS + 1)] for family in families],
        source,
        contracts,
        PlasticityConfig(rule=rule),
        episodes=episodes,
        rows=16,
        seed=0,
    )
    panel = draw_panel(source, Pool.SELECT, DEPTHS, per_cell, random.Random(5))
    panel = [task for task in panel if task.family in families]
    success = success_matrix(petri, bank, [0, *slots.tolist()], panel, source, contracts)
    family = family_of(panel, families)
    return np.stack([success[:, family == number].mean(1) for number in range(len(families))], 1)


def gain(scores: np.ndarray) -> float:
    """Mean success of the specialists at their own family, less the bare host's."""
    return float(scores[1:].diagonal().mean() - scores[0].mean())


def test_two_specialists_gain_fifteen_points_in_128_episodes(petri: HostService) -> None:
    assert gain(specialists(petri, "three_factor", ["string.sort", "sequence"], episodes=128, per_cell=16)) >= 0.15


@pytest.mark.slow
def test_nine_specialists_gain_thirty_points_in_512_episodes(petri: HostService) -> None:
    scores = specialists(petri, "three_factor", FAMILIES, episodes=512)
    assert gain(scores) >= 0.30
    own = scores[1:].diagonal().mean()
    others = (scores[1:].sum() - scores[1:].trace()) / (len(FAMILIES) * (len(FAMILIES) - 1))
    assert own - others >= 0.30, "they are specialists"


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["hebbian", "none"])
def test_the_controls_stay_within_noise(petri: HostService, rule: str) -> None:
    found = gain(specialists(petri, rule, FAMILIES, episodes=512))
    assert found == 0.0 if rule == "none" else found < NOISE
