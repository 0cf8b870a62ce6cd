"""A world inside a sweep: what its process has to look after."""

from __future__ import annotations

import pytest
import torch

from evolora_mesa.configfile import load_config
from evolora_mesa.study.sweep import living_world
from evolora_mesa.study.sweep.living_world import host_of


def test_a_held_host_finds_the_process_as_it_was_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living_world, "_held", {})
    config = load_config("smoke")
    host, found = host_of(config), torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest" if found != "highest" else "medium")  # as another world may
    assert host_of(config) is host
    assert torch.get_float32_matmul_precision() == found
