"""Mesa models with accidents, for `sweep_features.py`: processes of their own import this module."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import mesa


class Walker(mesa.Agent):
    place = 0

    def step(self) -> None:
        self.place += self.random.choice((-1, 1))


class Walk(mesa.Model):
    """One walker; collects when founded and after every step, as Mesa's examples do.

    Args:
        accident: in the first step: "raise"; "kill", once, as the file ``trace`` remembers.
        seconds: that a step takes.
    """

    steps_in_this_process = 0

    def __init__(self, accident: str = "", trace: str = "", seconds: float = 0.0, seed: int | None = None) -> None:
        super().__init__(seed=seed)
        self.accident, self.trace, self.seconds = accident, Path(trace), seconds
        self.walker = Walker(self)
        self.datacollector = mesa.DataCollector({"place": lambda model: model.walker.place})
        self.datacollector.collect(self)

    def step(self) -> None:
        if self.accident == "raise":
            raise ValueError("an accident")
        if self.accident == "kill" and not self.trace.exists():
            self.trace.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        Walk.steps_in_this_process += 1
        time.sleep(self.seconds)
        self.walker.step()
        self.datacollector.collect(self)


class Seldom(mesa.Model):
    """Collects every third step."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)
        self.datacollector = mesa.DataCollector({"steps_run": "steps"})

    def step(self) -> None:
        if self.steps % 3 == 0:
            self.datacollector.collect(self)
