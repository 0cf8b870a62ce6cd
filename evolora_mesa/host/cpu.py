"""Process-wide CPU settings that make inference faster, probed before they are kept.

Two effects, neither of which may change results beyond float32 rounding. Keeping freed memory in the process saves
136,000 page faults per generation of text. Routing float32 products to oneDNN instead of MKL pays for wide hosts only:
it compiles a product for every new shape, and batches that shrink as answers end bring new ones all the time. CPU time
of the decode loop with it over that without, answers of random length (AMD EPYC of Zen 4, torch 2.13, 4 layers):

    hidden size   16 rows   64 rows   256 rows
             96      1.62      1.39       1.09
            256      1.20      1.03       1.00
            512      0.95      0.81       0.81
           1024      0.71      0.74          -
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch

__all__ = ["WIDE", "CpuSettings", "tune_cpu", "tuned_cpu"]

WIDE: Final = 512  # hidden size from which the oneDNN route pays

# True float32 products of this size stay near 3e-7; rounding to bfloat16 (AMX) gives about 3e-3.
_LARGEST_ERROR = 1e-5
# oneDNN, and torch's bridge to it once more, each keep up to 1024 compiled products, one for every shape, of about
# 0.4 MiB. Over 20 generations of a world both together held 1.2 GiB at 4.5 CPU seconds (median of 4); these hold 0.63
# at 4.3. With 256 and 256 it was as much memory and 1.09 times the CPU time.
_KEPT_PRODUCTS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "512", "LRU_CACHE_CAPACITY": "1"}
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class CpuSettings:
    """What `tune_cpu` found and did.

    Attributes:
        fast_matmul: the oneDNN route is in use.
        error: relative error of the probe against float64, with the route in use while probing; 0 if not tried.
        keeps_memory: glibc was told not to hand freed memory back.
    """

    fast_matmul: bool
    error: float
    keeps_memory: bool


def tune_cpu(*, threads: int | None = 1, wide: bool = False) -> CpuSettings:
    """Apply the settings to this process; the matmul route is taken back when the probe finds it inexact.

    The number of compiled products kept is read once by a process, when the route is first used.

    Args:
        threads: torch threads to use; `None` leaves them as they are. One is best for a batch of this size, and
            makes sums independent of the machine.
        wide: whether products are large enough for the oneDNN route; otherwise torch's own is put back. It is the
            process's, so of hosts beside each other the last one that was loaded decides.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if not wide:
        torch.set_float32_matmul_precision("highest")
        return CpuSettings(False, 0.0, _keep_memory())
    for variable, most in _KEPT_PRODUCTS.items():
        os.environ.setdefault(variable, most)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    error = _probe()
    if error > _LARGEST_ERROR:
        torch.set_float32_matmul_precision(before)
    return CpuSettings(error <= _LARGEST_ERROR, error, _keep_memory())


@contextlib.contextmanager
def tuned_cpu(*, threads: int | None = 1, wide: bool = False) -> Iterator[CpuSettings]:
    """`tune_cpu` for the length of a block; threads and matmul route are put back behind it."""
    before, before_threads = torch.get_float32_matmul_precision(), torch.get_num_threads()
    try:
        yield tune_cpu(threads=threads, wide=wide)
    finally:
        torch.set_float32_matmul_precision(before)
        torch.set_num_threads(before_threads)


def _probe() -> float:
    """Relative error of one float32 product against float64."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 256, generator=generator)
    w = torch.randn(256, 256, generator=generator)
    exact = x.double() @ w.double()
    return float(((x @ w) - exact).norm() / exact.norm())


def _keep_memory() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # musl has no mallopt
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, 1 << 30)) and bool(mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1))
