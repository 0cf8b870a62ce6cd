"""What the benchmarks share: alternated timing in CPU seconds, facts about the machine, tables and files."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from evolora_mesa.host.cpu import tuned_cpu

__all__ = ["Gate", "Route", "Timing", "alternate", "machine", "ratio", "show_gates", "show_timings", "write"]


@dataclass(frozen=True)
class Route:
    """One way to do a piece of work.

    Attributes:
        run: does the work, or the share ``1 / scale`` of it.
        tokens: tokens that the whole work generates.
        tuned: run under `tuned_cpu` as for a narrow host, which all here are; otherwise as torch comes, apart from the
            number of threads.
        scale: what the measured time is multiplied with, above 1 where only a sample of the work is run.
    """

    name: str
    run: Callable[[], object]
    tokens: int
    tuned: bool = True
    scale: float = 1.0


@dataclass
class Timing:
    """Seconds for the whole work by round, and where they come from."""

    name: str
    tokens: int
    tuned: bool
    scale: float
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def row(self, part: str, reference: Timing) -> dict[str, Any]:
        """The line of a results file; ``times`` is this route's CPU time over that of ``reference``."""
        seconds = statistics.median(self.cpu)
        return {
            "part": part,
            "route": self.name,
            "settings": "tuned" if self.tuned else "stock",
            "cpu_seconds": round(seconds, 5),
            "wall_seconds": round(statistics.median(self.wall), 5),
            "tokens_per_cpu_second": round(self.tokens / seconds, 1),
            "times": round(ratio(self, reference), 3),
            "rounds": len(self.cpu),
            "scaled_by": round(self.scale, 3),
        }


@contextlib.contextmanager
def _cpu(tuned: bool) -> Iterator[None]:
    """One thread, with or without the package's process-wide settings.

    Memory that glibc was once told to keep stays kept, so stock routes run a little faster here than in a
    process of their own: 1.04 times, measured on PEFT's mixed batch.
    """
    if tuned:
        with tuned_cpu(threads=1):
            yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")  # the default of torch
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def alternate(routes: Sequence[Route], rounds: int, *, warm: bool = True) -> dict[str, Timing]:
    """Time the routes in turn (A B C A B C ...), so that a change of the machine's load hits all of them."""
    torch.set_num_threads(1)
    timings = {route.name: Timing(route.name, route.tokens, route.tuned, route.scale) for route in routes}
    for number in range(-1 if warm else 0, rounds):
        for route in routes:
            with _cpu(route.tuned):
                cpu, wall = time.process_time(), time.perf_counter()
                route.run()
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if number >= 0:
                timings[route.name].cpu.append(cpu * route.scale)
                timings[route.name].wall.append(wall * route.scale)
    return timings


def ratio(over: Timing, under: Timing) -> float:
    """Median over rounds of one route's CPU time over another's: pairing by round takes the load out."""
    return statistics.median(a / b for a, b in zip(over.cpu, under.cpu, strict=True))


@dataclass(frozen=True)
class Gate:
    """A figure that has to stay on one side of a bound."""

    what: str
    value: float
    bound: float
    at_least: bool

    @property
    def holds(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        verdict, sign = "ok    " if self.holds else "MISSED", ">=" if self.at_least else "<="
        return f"{verdict} {self.what}: {self.value:.2f} (wanted {sign} {self.bound:g})"


def machine() -> dict[str, Any]:
    """Processor, versions and load, so that a table can be read a year later."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "threads": 1,
        "python": platform.python_version(),
        **{name: _version(name) for name in ("torch", "transformers", "peft", "evolora-mesa")},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that is not installed
        return None


def show_timings(title: str, rows: Sequence[dict[str, Any]], reference: str) -> None:
    """Print one table; ``reference`` is the route whose time is the unit of the last column."""
    table = Table(title=title, title_justify="left")
    table.add_column("route")
    for heading in ("CPU s", "tokens / CPU s", f"x {reference}"):
        table.add_column(heading, justify="right")
    for row in rows:
        sampled = " (scaled)" if row["scaled_by"] != 1 else ""
        table.add_row(
            row["route"] + sampled,
            f"{row['cpu_seconds']:.3f}",
            f"{row['tokens_per_cpu_second']:,.0f}",
            f"{row['times']:.2f}",
        )
    Console(width=max(110, Console().width)).print(table)


def show_gates(gates: Sequence[Gate]) -> bool:
    """Print the figures with their bounds; whether all of them hold."""
    for gate in gates:
        print(gate)
    return all(gate.holds for gate in gates)


def write(
    rows: Sequence[dict[str, Any]],
    gates: Sequence[Gate],
    facts: dict[str, Any],
    *,
    json_file: Path | None,
    csv_file: Path | None,
) -> None:
    """Results as data; either file may be left out."""
    if json_file is not None:
        result = {
            "machine": facts,
            "rows": rows,
            "gates": [{**asdict(gate), "holds": gate.holds} for gate in gates],
        }
        json_file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if csv_file is not None:
        with csv_file.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
