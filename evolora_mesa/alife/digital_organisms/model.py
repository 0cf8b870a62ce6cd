"""A world of self-copying programs that earn processor time by logic (Avida, heads hardware, logic-9)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final

import mesa
import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms import layout
from evolora_mesa.alife.digital_organisms.agents import Organism
from evolora_mesa.alife.digital_organisms.chance import seeded
from evolora_mesa.alife.digital_organisms.genome import LONGEST, ancestor, numbers
from evolora_mesa.alife.digital_organisms.jit import COMPILED
from evolora_mesa.alife.digital_organisms.layout import empty
from evolora_mesa.alife.digital_organisms.recording import Recorder
from evolora_mesa.alife.digital_organisms.tasks import TASKS, VALUES
from evolora_mesa.alife.digital_organisms.world import BIRTH, NEXT_ID, USED, WRITTEN, Rules, advance, blank, settle
from evolora_mesa.alife.interface import Target, one_of, real, whole
from evolora_mesa.alife.mirror import MirrorModel, Reflection
from evolora_mesa.errors import ConfigError

__all__ = ["DigitalOrganisms"]

_CERTAIN: Final = 2.0**32  # above every draw
_MOST_CELLS_UNCOMPILED: Final = 144
_ROOM: Final = 1024  # events between two visits to the log


class DigitalOrganisms(MirrorModel):
    """Avida with its default hardware and nine logic tasks (Ofria, Bryson & Wilke 2009; Lenski et al. 2003).

    Args:
        rng: seed.
        record: keep the event log.
        width, height: cells of the torus, each with one organism at most. Without numba at most 144 cells.
        genome: of the one founder, letters a to z; not given: the ancestor of 100 instructions.
        copy_mutation: chance that h-copy writes a random instruction.
        insertion, deletion: chance of one of them in a division.
        rewarded: names of the tasks that pay; solving others is seen and brings nothing.
        inflow: units of each task's resource that come per update to the whole world, in which case rewards are
            limited and added; not given: without limit, and they multiply.
        outflow: share of a resource that is lost per update.
        fraction, most: share of a resource that one reward takes, and the most units it takes.
        turns: instructions per organism and update, on average.
        lifespan: instructions per site that an organism may go without a division.
        snapshot_every: updates between two snapshots of everybody in the log.

    Attributes:
        organisms: the arrays; cell (x, y) is row x · height + y.
        levels: of the resources, ``(9,)``; ``(0,)`` when rewards are without limit.
        born: births in the last update.
        executed: instructions executed so far.

    Raises:
        ConfigError: an argument is of the wrong type or out of range, or the world is too large without numba.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"energy", "birth", "heredity", "death", "niches", "space", "tasks", "complexity"}
    )

    def __init__(
        self,
        *,
        rng: int = 0,
        record: bool = True,
        width: int = 12,
        height: int = 12,
        genome: str | None = None,
        copy_mutation: float = 0.0075,
        insertion: float = 0.05,
        deletion: float = 0.05,
        rewarded: Iterable[str] = TASKS,
        inflow: float | None = None,
        outflow: float = 0.01,
        fraction: float = 0.0025,
        most: float = 25.0,
        turns: int = 30,
        lifespan: int = 20,
        snapshot_every: int = 10,
    ) -> None:
        super().__init__(rng=rng, record=record)
        self.width, self.height = whole("width", width, low=3, high=1000), whole("height", height, low=3, high=1000)
        self.turns = whole("turns", turns, low=1, high=10_000)
        self.snapshot_every = whole("snapshot_every", snapshot_every, low=1)
        self.inflow = 0.0 if inflow is None else real("inflow", inflow, low=0.0, high=1e12)
        self.outflow = real("outflow", outflow, low=0.0, high=1.0)
        cells = self.width * self.height
        if not COMPILED and cells > _MOST_CELLS_UNCOMPILED:
            raise ConfigError(
                "so large a world needs numba",
                expected=f"at most {_MOST_CELLS_UNCOMPILED} cells without it",
                got=cells,
                do="Install evolora-mesa[alife], or make it 12 × 12.",
            )
        self.rules = Rules(
            width=self.width,
            height=self.height,
            copy_mutation=real("copy_mutation", copy_mutation, low=0.0, high=1.0) * _CERTAIN,
            insertion=real("insertion", insertion, low=0.0, high=1.0) * _CERTAIN,
            deletion=real("deletion", deletion, low=0.0, high=1.0) * _CERTAIN,
            lifespan=whole("lifespan", lifespan, low=1, high=1_000_000),
            fraction=real("fraction", fraction, low=0.0, high=1.0),
            most=real("most", most, low=0.0, high=1e12),
        )
        self.values = _values(rewarded, limited=inflow is not None)
        self.levels = np.zeros(0 if inflow is None else len(TASKS))
        self.organisms, self.events = empty(cells), blank(_ROOM)
        self.chance = seeded(self.streams.integer("organisms"))
        self.born, self.executed = 0, 0
        self.recorder = Recorder(self.log)
        self._found(ancestor() if genome is None else genome)
        self.datacollector = mesa.DataCollector(model_reporters=_REPORTERS)
        self.datacollector.collect(self)

    def _found(self, genome: str) -> None:
        """One founder in the middle, of which every site counts as copied."""
        instructions = numbers(genome)
        cell, length = self.width // 2 * self.height + self.height // 2, len(instructions)
        cpu = self.organisms.cpu[cell]
        cpu[layout.ID], cpu[layout.LENGTH], cpu[layout.COPIED], cpu[layout.NICHE] = 0, length, length, -1
        settle(self.organisms, cell, instructions, length, float(length), self.chance)
        self.events.counts[NEXT_ID] = 1
        self.recorder.found(0, genome, float(length))
        self.snapshot()

    # ---------------------------------------------------------------- one update

    def step(self) -> None:
        """Resources flow, then as many instructions as there are organisms times ``turns`` are dealt out by merit."""
        self.tick += 1
        lost = self.levels * self.outflow
        self.levels += self.inflow - lost
        full = self.levels.copy()
        self.born, left = 0, self.turns * int(self.alive.sum())
        while left and self.organisms.tree[1] > 0:
            done = advance(
                self.organisms, self.rules, self.values, self.levels, self.events, self.tick, left, self.chance
            )
            left -= done
            self.executed += done
            self._take_events()
        if self.log.enabled and len(self.levels):
            self.log.resources(self.tick, TASKS, self.levels, self.inflow, lost, full - self.levels)
        if self.tick % self.snapshot_every == 0:
            self.snapshot()
        self.running = bool(self.alive.any())
        self.datacollector.collect(self)

    def _take_events(self) -> None:
        counts = self.events.counts
        self.born += int((self.events.facts[: counts[USED], 0] == BIRTH).sum())
        if self.log.enabled:
            self.recorder.take(self.events, self.tick, self.time_gen)
        counts[USED] = counts[WRITTEN] = 0

    def snapshot(self) -> None:
        """All organisms, to the log."""
        if self.log.enabled:
            self.recorder.snapshot(self.tick, self.time_gen, self.organisms, np.flatnonzero(self.alive))

    # ---------------------------------------------------------------- looking

    @property
    def alive(self) -> NDArray[np.bool_]:
        """``(cells,)``: where somebody lives."""
        return self.organisms.cpu[:, layout.ID] >= 0

    def facts(self, column: int) -> NDArray[np.int64]:
        """A column of `layout` for the living, ``(n,)``."""
        return self.organisms.cpu[self.alive, column]

    @property
    def time_gen(self) -> float:
        """Mean generation of the living; when nobody is left, of those who lived last in their cells."""
        cpu, alive = self.organisms.cpu, self.alive
        return float(cpu[alive if alive.any() else cpu[:, layout.LENGTH] > 0, layout.GENERATION].mean())

    def solvers(self, task: str) -> int:
        """Organisms that solved ``task`` in their last gestation.

        Raises:
            ConfigError: there is no such task.
        """
        place = TASKS.index(one_of("task", task, TASKS))
        return int((self.facts(layout.PHENOTYPE) >> place & 1).sum())

    def living(self) -> Iterator[tuple[type[Reflection], list[int], list[int]]]:
        """All organisms."""
        rows = np.flatnonzero(self.alive)
        yield Organism, self.organisms.cpu[rows, layout.ID].tolist(), rows.tolist()

    def picture(self) -> dict[str, Any]:
        """Merit and number of tasks by cell (nan where nobody lives); agents are coloured by number of tasks."""
        shape, alive = (self.width, self.height), self.alive
        solved = np.array([mask.bit_count() for mask in self.organisms.cpu[:, layout.PHENOTYPE].tolist()], float)
        layers = {"merit": self.organisms.merit, "tasks": solved}
        x, y = np.divmod(np.flatnonzero(alive), self.height)
        return {
            "shape": shape,
            "layers": {name: np.where(alive, layer, np.nan).reshape(shape) for name, layer in layers.items()},
            "agents": {"x": x, "y": y, "energy": self.organisms.merit[alive], "colour": solved[alive]},
            "series": self.series(),
        }

    # ---------------------------------------------------------------- keeping

    def state_dict(self) -> dict[str, Any]:
        """The base's, with all organisms; memory only as far as anybody uses it."""
        state = super().state_dict() | {"born": self.born, "executed": self.executed}
        used = int(self.organisms.cpu[:, [layout.SIZE, layout.LENGTH]].max())
        arrays = self.organisms._asdict() | {"levels": self.levels, "chance": self.chance, "counts": self.events.counts}
        state["arrays"] |= {
            name: array[:, :used].copy() if array.shape[-1] == LONGEST else array.copy()
            for name, array in arrays.items()
        }
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        super().load_state_dict(state)
        self.born, self.executed = state["born"], state["executed"]
        arrays = self.organisms._asdict() | {"levels": self.levels, "chance": self.chance, "counts": self.events.counts}
        for name, array in arrays.items():
            saved = state["arrays"][name]
            array[..., : saved.shape[-1]] = saved
        self.recorder.remember(self.organisms)

    @classmethod
    def reference(cls, *, quick: bool) -> list[Target]:
        """Exact figures of Avida's own test processor, and its populations; see `targets`."""
        from evolora_mesa.alife.digital_organisms.targets import targets

        return targets(quick=quick)


def _values(rewarded: Iterable[str], *, limited: bool) -> NDArray[np.float64]:
    """Values of the tasks, 0 for those that do not pay."""
    names = {one_of("task", name, TASKS) for name in ([rewarded] if isinstance(rewarded, str) else rewarded)}
    values = [(2.0 ** (value - 1) if limited else float(value)) for value in VALUES]
    return np.array([value * (task in names) for task, value in zip(TASKS, values, strict=True)])


def organisms(model: DigitalOrganisms) -> int:
    """Living organisms."""
    return int(model.alive.sum())


def births(model: DigitalOrganisms) -> int:
    """Born in this update."""
    return model.born


def generation(model: DigitalOrganisms) -> float:
    """Mean number of divisions along the lines of descent."""
    return model.time_gen


def merit(model: DigitalOrganisms) -> float:
    """Mean merit; nan when nobody lives."""
    return float(model.organisms.merit[model.alive].mean()) if model.alive.any() else float("nan")


def length(model: DigitalOrganisms) -> float:
    """Mean sites of the genomes; nan when nobody lives."""
    return float(model.facts(layout.LENGTH).mean()) if model.alive.any() else float("nan")


def _solvers(model: DigitalOrganisms, task: str) -> int:
    return model.solvers(task)


_REPORTERS = {f.__name__: f for f in (organisms, births, generation, merit, length)}
_REPORTERS |= {task: partial(_solvers, task=task) for task in TASKS}
