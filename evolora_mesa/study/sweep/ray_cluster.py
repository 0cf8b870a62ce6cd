"""Joining a Ray cluster, or starting one on this machine: quietly, and with an answer within half a minute."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from evolora_mesa.errors import RunError, one_line

__all__ = ["join", "ray_module"]

_OBJECTS: Final = 200 * 1024 * 1024  # bytes of memory in a cluster of our own for what is under way: runs of a few MB
_PATIENCE: Final = 20.0  # seconds; Ray itself tries to reach an address for more than three minutes
_COMMAND: Final = "from ray.scripts.scripts import main; main()"  # `ray`, also where no such file is on the path


def ray_module() -> Any:
    """Ray, which reports its use to nobody from here.

    Raises:
        RunError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise RunError(
            "Ray is not installed", where="engine ray", do='Install it: pip install "evolora-mesa[ray]".'
        ) from None


@contextmanager
def join(address: str | None, workers: int | None) -> Iterator[int]:
    """Be connected to a cluster; whoever was connected before stays so.

    Args:
        address: as in `RayEngine`.
        workers: processors of a cluster that is started here; `None` is all of this machine.

    Yields:
        How many processors the cluster has.

    Raises:
        RunError: no cluster answers there.
    """
    ray = ray_module()
    if ray.is_initialized():
        yield _processors(ray)
        return
    place = address or os.environ.get("RAY_ADDRESS") or "local"
    own = {"num_cpus": workers or os.cpu_count(), "include_dashboard": False, "object_store_memory": _OBJECTS}
    _check(place)
    with _own_signals():
        try:
            ray.init(address=place, log_to_driver=False, logging_level="ERROR", **(own if place == "local" else {}))
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise RunError(
                "no Ray cluster can be joined", where=place, got=_last_line(str(error)), do=_advice(str(error))
            ) from None
    try:
        yield _processors(ray)
    finally:
        with _own_signals():
            ray.shutdown()


def _processors(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _check(address: str) -> None:
    """Whether a cluster answers at the address, and knows our token."""
    if address in ("local", "auto"):
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise RunError("no address of a Ray cluster", where="--address", expected="HOST:PORT or auto", got=address)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE / 4).close()
    except (OSError, OverflowError) as error:
        raise RunError("no Ray cluster answers", where=address, got=str(error), do=_advice("")) from None
    command = [sys.executable, "-c", _COMMAND, "health-check", "--address", address]
    try:
        asked = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise RunError("what answers is no Ray cluster", where=address, do=_advice("")) from None
    if asked.returncode != 0:
        raise RunError("the Ray cluster refuses", where=address, got=_last_line(asked.stderr), do=_advice(asked.stderr))


def _advice(told: str) -> str:
    if "token" in told.lower():
        return "Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN to the cluster's token or RAY_AUTH_TOKEN_PATH to its file."
    return "Start one there, `ray start --head --port=6379`, or leave --address out for one on this machine."


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else ""


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers of whoever called: Ray puts its own in their place."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
