"""Mesa models with one oddity each, for runs in sweeps; workers import them by name."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import mesa

IMPORTED_IN = os.getpid()


class Counter(mesa.Model):
    """Collects when founded and after every step, a figure that depends on the seed and one that does not."""

    def __init__(self, slope: float = 1.0, rng: int | None = None) -> None:
        super().__init__(rng=rng)
        self.slope, self.luck = slope, self.rng.random()
        self.datacollector = mesa.DataCollector(
            {"height": lambda model: model.slope * model.steps, "luck": "luck", "name": lambda model: "a text"}
        )
        self.datacollector.collect(self)

    def step(self) -> None:
        self.luck = self.rng.random()
        self.datacollector.collect(self)


class Heir(Counter):
    """Tells whether its process was born with this module, and on how many threads it may compute."""

    def __init__(self, rng: int | None = None) -> None:
        super().__init__(rng=rng)
        self.datacollector = mesa.DataCollector(
            {
                "heir": lambda model: os.getpid() != IMPORTED_IN,
                "threads": lambda model: int(os.environ["OMP_NUM_THREADS"]),
            }
        )
        self.datacollector.collect(self)


class OldSeed(Counter):
    """Calls its seed as Mesa did before 3.0, and only takes it among others."""

    def __init__(self, slope: float = 1.0, **kwargs: int) -> None:
        super().__init__(slope, rng=kwargs.get("rng", kwargs.get("seed")))


class Seedless(mesa.Model):
    """Takes no seed."""

    def __init__(self) -> None:
        super().__init__()


class Quitter(Counter):
    """Switches itself off after three steps."""

    def step(self) -> None:
        super().step()
        self.running = self.steps < 3


class Talker(Counter):
    """Prints, in Python and below it."""

    def step(self) -> None:
        print(f"step {self.steps}", file=sys.stderr if self.steps % 2 else sys.stdout)
        os.write(1, b"from below\n")
        super().step()


class Babbler(Counter):
    """Prints 30 MiB."""

    def step(self) -> None:
        for _ in range(30):
            os.write(1, b"x" * 2**20)
        time.sleep(1.5)  # while somebody looks at the log
        super().step()


class Fragile(Counter):
    """Comes to grief in its second step.

    Args:
        grief: "raise", "mangle" (raises what no file takes), "interrupt", "exit", "mute" (closes its outputs), "leave"
            (without a word), "kill", "once" (killed, but not where ``trace`` exists), "sleep" (also notes its process
            in ``trace``) or "eat" (memory).
    """

    def __init__(self, grief: str = "", trace: str = "", rng: int | None = None) -> None:
        super().__init__(rng=rng)
        self.grief, self.trace = grief, Path(trace)

    def step(self) -> None:
        if self.steps == 2:
            self._come_to_grief()
        super().step()

    def _come_to_grief(self) -> None:
        if self.grief == "raise":
            raise ValueError("a bad day\nand a second line")
        if self.grief == "mangle":
            raise ValueError("half of \ud800 and \x1b[31m")
        if self.grief == "interrupt":
            raise KeyboardInterrupt
        if self.grief == "exit":
            sys.exit("enough")
        if self.grief == "mute":
            os.close(1)
            os.close(2)
            with contextlib.suppress(OSError):
                print("to nobody")
        if self.grief == "leave":
            os._exit(9)
        if self.grief == "kill" or (self.grief == "once" and not self.trace.exists()):
            with self.trace.open("a", encoding="utf-8") as trace:
                trace.write("killed\n")
            os.kill(os.getpid(), signal.SIGKILL)
        if self.grief == "sleep":
            self.trace.write_text(str(os.getpid()), encoding="utf-8")
            time.sleep(600)
        if self.grief == "eat":
            eaten = [bytearray(2**20) for _ in range(2000)]
            del eaten
