"""Small Mesa models for the batch tests; processes of their own import this module."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import mesa


class Walker(mesa.Agent):
    def __init__(self, model: mesa.Model) -> None:
        super().__init__(model)
        self.place = 0

    def step(self) -> None:
        self.place += self.random.choice((-1, 1))


class Walk(mesa.Model):
    """Some walkers on a line; collects when founded and after every step, as Mesa's examples do."""

    def __init__(self, walkers: int = 2, stride: int = 1, until: int | None = None, rng: int | None = None) -> None:
        super().__init__(rng=rng)
        self.stride, self.until = stride, until
        Walker.create_agents(self, walkers)
        self.datacollector = mesa.DataCollector(
            {"furthest": lambda model: max(abs(walker.place) for walker in model.agents), "steps_lived": "steps"}
        )
        self.datacollector.collect(self)

    def step(self) -> None:
        for _ in range(self.stride):
            self.agents.shuffle_do("step")
        self.datacollector.collect(self)
        self.running = self.steps != self.until


class Followed(Walk):
    """Reports its agents too."""

    def __init__(self, walkers: int = 2, rng: int | None = None) -> None:
        super().__init__(walkers, rng=rng)
        self.datacollector = mesa.DataCollector({"steps_lived": "steps"}, {"place": "place"})
        self.datacollector.collect(self)


class Seldom(mesa.Model):
    """Collects every third step, and not when founded."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)
        self.datacollector = mesa.DataCollector({"steps_lived": "steps"})

    def step(self) -> None:
        if self.steps % 3 == 0:
            self.datacollector.collect(self)


class Fragile(Walk):
    """Has accidents in its first step.

    Args:
        accident: "raise", "leave" (an exit code), "kill", "kill once" (the file ``trace`` remembers), or "sleep".
    """

    def __init__(self, accident: str = "", trace: str = "", rng: int | None = None) -> None:
        super().__init__(rng=rng)
        self.accident, self.trace = accident, Path(trace)

    def step(self) -> None:
        if self.accident == "raise":
            raise ValueError("a bad day\nand a second line")
        if self.accident == "leave":
            os._exit(9)
        if self.accident == "kill" or (self.accident == "kill once" and not self.trace.exists()):
            with self.trace.open("a", encoding="utf-8") as trace:
                trace.write("killed\n")
            os.kill(os.getpid(), signal.SIGKILL)
        if self.accident == "sleep":
            self.trace.write_text(str(os.getpid()), encoding="utf-8")
            time.sleep(600)
        super().step()


class Mute(mesa.Model):
    """Collects nothing."""
