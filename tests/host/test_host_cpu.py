"""Process-wide CPU settings are kept only when they are exact, and put back when asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from evolora_mesa.host import HostService, cpu
from evolora_mesa.host.cpu import tune_cpu, tuned_cpu
from evolora_mesa.host.service import _is_wide


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    precision, threads = torch.get_float32_matmul_precision(), torch.get_num_threads()
    yield
    torch.set_float32_matmul_precision(precision)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("before", ["highest", "high"])
def test_a_route_that_is_not_exact_is_taken_back(before: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_float32_matmul_precision(before)
    during = []

    def inexact() -> float:
        during.append(torch.get_float32_matmul_precision())
        return 3e-3

    monkeypatch.setattr(cpu, "_probe", inexact)
    found = tune_cpu(wide=True)
    assert during == ["medium"]
    assert (found.fast_matmul, found.error) == (False, 3e-3)
    assert torch.get_float32_matmul_precision() == before


def test_an_exact_route_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_float32_matmul_precision("highest")
    monkeypatch.setattr(cpu, "_probe", lambda: 3e-7)
    assert tune_cpu(wide=True).fast_matmul
    assert torch.get_float32_matmul_precision() == "medium"


def test_narrow_hosts_get_the_usual_route_back() -> None:
    torch.set_float32_matmul_precision("medium")
    assert not tune_cpu().fast_matmul
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize(("width", "route"), [(48, "medium"), (49, "highest")])
def test_a_host_is_wide_by_its_hidden_size(
    width: int, route: str, host_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "_probe", lambda: 3e-7)
    monkeypatch.setattr("evolora_mesa.host.service.WIDE", width)  # the host has a hidden size of 48
    folder = host_folder("qwen3")
    HostService.load(folder, device="cpu")
    assert torch.get_float32_matmul_precision() == route
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert _is_wide({"text_config": config}) == _is_wide(config) == (route == "medium")
    assert _is_wide({"n_embd": config["hidden_size"]}) == (route == "medium")


def test_the_probe_tells_float32_from_bfloat16() -> None:
    torch.set_float32_matmul_precision("highest")
    assert cpu._probe() < 1e-5
    x = torch.randn(64, 256, generator=torch.Generator().manual_seed(0))
    rounded = x.bfloat16().float() @ x.t().bfloat16().float()
    assert float((rounded - x @ x.t()).norm() / (x @ x.t()).norm()) > 1e-4  # what the bound has to catch


@pytest.mark.parametrize("fails", [False, True])
def test_a_tuned_block_puts_threads_and_route_back(fails: bool) -> None:
    torch.set_float32_matmul_precision("high")
    torch.set_num_threads(2)
    try:
        with tuned_cpu(threads=1):
            assert torch.get_num_threads() == 1
            if fails:
                raise KeyError("inside")
    except KeyError:
        assert fails
    assert torch.get_num_threads() == 2
    assert torch.get_float32_matmul_precision() == "high"


_MANY_SHAPES = """
import torch
from evolora_mesa.host.cpu import tune_cpu
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20
tune_cpu(wide=True)
before = resident()
for rows in range(1, 1000):
    torch.ones(rows, 40) @ torch.ones(40, 24)
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_the_number_of_shapes() -> None:
    done = subprocess.run([sys.executable, "-c", _MANY_SHAPES], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 500  # MiB; 640 without a bound, 350 with it


def test_threads_can_be_left_alone() -> None:
    torch.set_num_threads(2)
    tune_cpu(threads=None)
    assert torch.get_num_threads() == 2


def test_tuning_changes_no_logit_beyond_rounding(service: HostService) -> None:
    ids = torch.randint(4, 140, (2, 30), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        plain = service.host.forward(ids)
        with tuned_cpu(threads=1, wide=True):
            tuned = service.host.forward(ids)
    assert (plain - tuned).abs().max() <= 1e-4
