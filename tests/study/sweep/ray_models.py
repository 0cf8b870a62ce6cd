"""A Mesa model that has accidents on a Ray cluster; its processes import this module."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import mesa


class Rider(mesa.Model):
    """Draws a number a step.

    Args:
        accident: what happens in the third step, once: "worker" kills Ray's process, "wait" takes time after it has
            noted the process in the file ``trace``.
    """

    def __init__(self, accident: str = "", trace: str = "", rng: int | None = None) -> None:
        super().__init__(rng=rng)
        self.accident, self.trace = accident, Path(trace)
        self.drawn = 0.0
        self.datacollector = mesa.DataCollector({"drawn": "drawn"})
        self.datacollector.collect(self)

    def step(self) -> None:
        if self.steps == 3 and self.accident and not self.trace.exists():
            rays = _parent(os.getppid())  # its child is what begins the runs, of which this is one
            self.trace.write_text(str(rays), encoding="utf-8")
            if self.accident == "worker":
                os.kill(rays, signal.SIGKILL)
            time.sleep(600)
        self.drawn = self.random.random()
        self.datacollector.collect(self)


def _parent(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("PPid:"))
