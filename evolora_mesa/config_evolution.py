"""The settings of selection: births and merges, the gate they pass, the archive, and what guards diversity."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, model_validator

from evolora_mesa.settings import MOST_ENERGY, Section, as_tuple, clash, repeated, setting

__all__ = ["ArchiveConfig", "DiversityConfig", "GateConfig", "ReproductionConfig"]

Operator = Literal[
    "sum",
    "average",
    "svd",
    "ties",
    "dare",
    "slerp",
    "uniform",
    "structured",
    "rank_component",
    "task_aware",
]
Mutation = Literal["svd", "gaussian", "rank", "toggle", "rotation"]
Mutations = Annotated[tuple[Mutation, ...], BeforeValidator(as_tuple)]
Selecting = Literal["energy", "tournament", "rank", "lexicase", "fitness_sharing", "random"]


class ReproductionConfig(Section):
    """Who bears children, with whom, and how a child differs from its parents."""

    enabled: bool = setting(True, "organelles reproduce")
    merging: bool = setting(True, "organelles may merge with a partner; off leaves mutated copies only")
    selection: Selecting = setting("energy", "who may reproduce; random is a control")
    births: int = setting(2, "most children conceived", unit="per generation", ge=0, le=1000)
    floor: float = setting(
        4.0, "energy that an organelle needs to reproduce, at first", unit="energy", gt=0, le=MOST_ENERGY
    )
    floor_low: float = setting(2.0, "lowest floor that the tuner may set", unit="energy", gt=0, le=MOST_ENERGY)
    floor_high: float = setting(16.0, "highest floor that the tuner may set", unit="energy", gt=0, le=MOST_ENERGY)
    share: float = setting(0.3, "share of the parents' energy that a child gets to live on", gt=0, lt=1)
    cost: float = setting(0.2, "energy that a birth costs", unit="energy", ge=0, le=MOST_ENERGY)
    maturity: int = setting(8, "age from which an organelle reproduces", unit="generations", ge=0, le=1_000_000)
    cooldown: int = setting(4, "rest between two children of a parent", unit="generations", ge=0, le=1_000_000)
    operator: Operator = setting("svd", "how the weights of two parents are merged")
    weight: float = setting(0.5, "weight of each parent's change in sum, svd and ties merges", gt=0, le=2)
    mutations: Mutations = setting(
        ("svd", "gaussian", "rank", "toggle", "rotation"), "how a copy may differ, drawn evenly"
    )
    strength: float = setting(0.03, "founders' mutation strength, relative to the norm of the adapter", gt=0, le=1)
    strength_low: float = setting(0.005, "weakest mutation that can evolve", gt=0, le=1)
    strength_high: float = setting(0.5, "strongest mutation that can evolve", gt=0, le=1)
    sociability: float = setting(0.8, "founders' chance to look for a partner rather than copy themselves", ge=0, le=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.cost > self.floor_low:
            raise clash(
                "a birth costs more than its parent must own",
                "cost",
                "floor_low",
                expected=f"at most reproduction.floor_low = {self.floor_low}",
                got=self.cost,
            )
        for name, low, value, high in (
            ("floor", self.floor_low, self.floor, self.floor_high),
            ("strength", self.strength_low, self.strength, self.strength_high),
        ):
            if not low <= value <= high:
                raise clash(
                    f"{name} is outside its own bounds",
                    name,
                    f"{name}_low",
                    f"{name}_high",
                    expected=f"{low} to {high}",
                    got=value,
                )
        if not self.mutations:
            raise clash("no kind of mutation", "mutations", expected="at least one", got=[])
        if twice := repeated(self.mutations):
            raise clash("one kind of mutation twice", "mutations", expected="every kind once", got=twice)
        return self


class GateConfig(Section):
    """The test that a child passes before it is a citizen: paired with its parents on fresh prompts, sequential."""

    enabled: bool = setting(True, "children are tested; off makes every child a citizen at once")
    alpha: float = setting(
        0.05, "chance of a child that is no better to pass, e-BH over open trials", unit="probability", gt=0, lt=1
    )
    margin: float = setting(0.15, "loss to a parent that counts as no loss", unit="accuracy", gt=0, lt=1)
    least_effect: float = setting(0.1, "gain that is worth looking for; less is futile", unit="accuracy", gt=0, lt=1)
    futility: float = setting(0.1, "chance to drop a child that has the least effect", unit="probability", gt=0, lt=1)
    window: int = setting(48, "prompts of a trial, at first", unit="prompts per generation", ge=1, le=4096)
    window_low: int = setting(24, "fewest prompts that the tuner may set", unit="prompts per generation", ge=1, le=4096)
    window_high: int = setting(96, "most prompts that the tuner may set", unit="prompts per generation", ge=1, le=4096)
    most_pairs: int = setting(256, "prompts on the parents' cells before a trial ends", unit="prompts", ge=1, le=65_536)
    probation: int = setting(16, "longest trial", unit="generations", ge=1, le=1_000_000)
    most_trials: int = setting(4, "trials at a time", unit="trials", ge=1, le=1024)
    screen: bool = setting(True, "look into the history already paid for before paying for prompts")
    price: float = setting(0.5, "cost of a gate prompt's tokens, relative to living", ge=0, le=100)
    budget: float = setting(0.4, "founders' share of energy that pays for a child's prompts", ge=0, lt=1)
    stipend: float = setting(1.0, "what the grant fund adds to a trial", unit="energy", ge=0, le=MOST_ENERGY)
    grant_inflow: float = setting(
        4.0, "new energy in the grant fund", unit="energy per generation", ge=0, le=MOST_ENERGY
    )
    grant_limit: float = setting(40.0, "most that the grant fund holds", unit="energy", ge=0, le=MOST_ENERGY)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.window_low <= self.window <= self.window_high:
            raise clash(
                "window is outside its own bounds",
                "window",
                "window_low",
                "window_high",
                expected=f"{self.window_low} to {self.window_high}",
                got=self.window,
            )
        return self


class ArchiveConfig(Section):
    """The quality-diversity archive of the best weights by family, depth and cost."""

    enabled: bool = setting(True, "keep an archive; it gives parents and fills empty niches")
    cost_edges: Annotated[tuple[float, ...], BeforeValidator(as_tuple)] = setting(
        (6.0, 12.0), "bounds between cost bins, ascending", unit="tokens per answer"
    )
    parents: float = setting(0.25, "chance that a partner is sought in the archive", unit="probability", ge=0, le=1)
    evidence: float = setting(12.0, "work in a cell before its success counts", unit="episodes", ge=1, le=100_000)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        edges = self.cost_edges
        if any(high <= low for low, high in pairwise((0.0, *edges))):
            raise clash(
                "cost bounds do not ascend", "cost_edges", expected="ascending numbers above 0", got=list(edges)
            )
        return self


class DiversityConfig(Section):
    """Guards of diversity. They act through prices; nothing is confiscated."""

    gini_cap: float = setting(0.6, "inequality of energy above which cells of the poor pay more", ge=0, le=1)
    gini_strength: float = setting(2.0, "how much prices tilt above gini_cap", ge=0, le=10)
    lineage_cap: float = setting(0.4, "share of the population above which a lineage pays more for births", ge=0, le=1)
    lineage_strength: float = setting(4.0, "how much dearer births of an only lineage are", ge=0, le=100)
    tuning: bool = setting(True, "the reproduction floor and the gate's window tune themselves")
    relief: float = setting(
        2.0, "factor on mutation and curiosity while the world stands still; 1 switches it off", ge=1, le=10
    )
    plateau_window: int = setting(
        24, "generations whose reward is tested for a trend", unit="generations", ge=8, le=10_000
    )
