"""What every artificial-life model offers: a Mesa model with an event log, a state, a picture and published targets."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import mesa
import numpy as np

from evolora_mesa.alife.log import EventLog
from evolora_mesa.errors import ConfigError
from evolora_mesa.streams import Streams

__all__ = ["CAPABILITIES", "EvoModel", "Target", "flag", "one_of", "real", "whole"]

CAPABILITIES: Final = (
    "energy",
    "birth",
    "heredity",
    "death",
    "niches",
    "space",
    "multi_parent",
    "tasks",
    "complexity",
    "descriptor",
)


@dataclass(frozen=True)
class Target:
    """A published figure beside the one that was measured now.

    Attributes:
        name: what is measured, with its conditions.
        published: the figure as it was printed, or nothing when there is a rule only.
        measured: what this version does.
        source: who published it; whether it was read there, or elsewhere, or is ours.
        kind: ``exact`` and ``threshold`` can fail; ``report`` is only shown.
        low, high: what is let pass, both inclusive; nothing means no bound.
        rule: the same in words, when a range does not say it.
        holds: the rule's verdict, when a range cannot give it.
    """

    name: str
    published: float | str | None
    measured: float | str
    source: str
    kind: Literal["exact", "threshold", "report"] = "threshold"
    low: float | None = None
    high: float | None = None
    rule: str = ""
    holds: bool | None = None

    @property
    def passed(self) -> bool:
        """The rule holds; always true of what is only reported."""
        if self.kind == "report":
            return True
        if self.holds is not None:
            return self.holds
        if isinstance(self.measured, str) or self.low is self.high is None:
            return self.measured == self.published
        if math.isnan(self.measured):
            return False
        return (self.low is None or self.measured >= self.low) and (self.high is None or self.measured <= self.high)


class EvoModel(mesa.Model):
    """Base of the classic models. A subclass sets up its arrays, then logs the first births and collects once.

    Args:
        rng: seed, a whole number >= 0.
        record: keep the event log; without it the model runs faster and cannot be measured.

    Attributes:
        capabilities: of the class, all that the model can have; the log's are those of this run, by its parameters.
        log: the only input of metrics.
        tick: steps done.
        streams: named generators of the seed; a concern asks for ``streams.numpy(NAME)``.

    Raises:
        ConfigError: an argument is of the wrong type or out of range.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset()

    log: EventLog
    datacollector: mesa.DataCollector

    def __init__(self, *, rng: int = 0, record: bool = True) -> None:
        seed = whole("rng", rng, low=0, high=2**63 - 1)
        super().__init__(rng=seed)
        self.streams = Streams(seed)
        facts = {"model": type(self).__name__, "rng": seed}
        self.log = EventLog(self.capabilities, run=facts, enabled=flag("record", record))
        self.tick = 0
        self.running = True

    @abstractmethod
    def step(self) -> None:
        """One tick."""

    @abstractmethod
    def snapshot(self) -> None:
        """Everybody who is alive now, to the log."""

    def finished_log(self) -> EventLog:
        """The log of the whole run, closed, with a snapshot of its end: what is after the last one is not counted over.

        Raises:
            LogError: it does not add up.
        """
        marks = self.log.stream("marks")
        if not self.log.closed and not (len(marks) and marks["step"][-1] == self.tick):
            self.snapshot()
        return self.log.close()

    @abstractmethod
    def picture(self) -> dict[str, Any]:
        """Plain facts to draw.

        Returns:
            ``shape``: (width, height) or None; ``layers``: arrays ``(width, height)`` by name; ``agents``: arrays
            ``(n,)`` under x, y, energy, colour; ``series``: lists by name, a value per tick.
        """

    @classmethod
    @abstractmethod
    def reference(cls, *, quick: bool) -> list[Target]:
        """Published targets, measured now; ``quick`` takes seconds."""

    def series(self) -> dict[str, list[Any]]:
        """What the data collector has seen of the model, a value per tick."""
        return {name: list(values) for name, values in self.datacollector.model_vars.items()}

    def state_dict(self) -> dict[str, Any]:
        """The state that all models have; a subclass adds its own to it, and its arrays under ``arrays``."""
        log = self.log.state_dict()
        arrays = {f"log/{name}": array for name, array in log.pop("arrays").items()}
        version, internal, gauss = self.random.getstate()
        return {
            "model": type(self).__name__,
            "tick": self.tick,
            "steps": self.steps,
            "running": self.running,
            "streams": self.streams.state_dict(),
            "random": [version, list(internal), gauss],
            "rng": self.rng.bit_generator.state,
            "series": self.series(),
            "log": log,
            "arrays": arrays,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken, in a model with the same parameters.

        Raises:
            ConfigError: the state is of another model, or of another seed, of which landscapes are made.
        """
        if state["model"] != type(self).__name__:
            raise ConfigError("state of another model", expected=type(self).__name__, got=state["model"])
        if state["log"]["run"].get("rng") != self.streams.seed:
            raise ConfigError(
                "state of another seed", expected=str(self.streams.seed), got=state["log"]["run"].get("rng")
            )
        self.tick, self.steps, self.running = state["tick"], state["steps"], state["running"]
        self.streams.load_state_dict(state["streams"])
        version, internal, gauss = state["random"]
        self.random.setstate((version, tuple(internal), gauss))
        self.rng.bit_generator.state = state["rng"]
        for name, values in state["series"].items():
            self.datacollector.model_vars[name] = list(values)
        arrays = {name[4:]: array for name, array in state["arrays"].items() if name.startswith("log/")}
        self.log.load_state_dict({**state["log"], "arrays": arrays})


# ---------------------------------------------------------------- checks of arguments


def whole(name: str, value: object, *, low: int, high: int = 2**31) -> int:
    """``value`` as an int within [low, high].

    Raises:
        ConfigError: it is not one.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or not low <= value.__index__() <= high:
        raise ConfigError(f"{name} is out of range", expected=f"a whole number in [{low}, {high}]", got=value)
    return value.__index__()


def real(name: str, value: object, *, low: float = -math.inf, high: float = math.inf) -> float:
    """``value`` as a finite float within [low, high].

    Raises:
        ConfigError: it is not one.
    """
    if isinstance(value, bool) or not hasattr(value, "__float__") or not math.isfinite(number := value.__float__()):
        raise ConfigError(f"{name} is not a number", expected=f"a number in [{low:g}, {high:g}]", got=value)
    if not low <= number <= high:
        raise ConfigError(f"{name} is out of range", expected=f"a number in [{low:g}, {high:g}]", got=value)
    return number


def flag(name: str, value: object) -> bool:
    """``value`` as a bool.

    Raises:
        ConfigError: it is not one.
    """
    if not isinstance(value, bool | np.bool_):
        raise ConfigError(f"{name} is neither true nor false", expected="True or False", got=value)
    return bool(value)


def one_of(name: str, value: object, words: tuple[str, ...]) -> str:
    """``value`` if it is one of ``words``.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(value, str) or value not in words:
        raise ConfigError(f"no such {name}", expected=f"one of {', '.join(words)}", got=value)
    return value
