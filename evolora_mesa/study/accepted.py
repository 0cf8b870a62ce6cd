"""Are accepted children really better? Worlds are watched, and every accepted child meets its parents once more, on the
locked pool.

On gate prompts an accepted child looks better than it is, because it was accepted for how it looked there: the winner's
curse. The locked pool knows nothing of that. What is left is the gain.
"""

from __future__ import annotations

import csv
import io
import json
import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import torch

from evolora_mesa.config import MOST_MEMORY, WorldConfig
from evolora_mesa.evolution.trial import Decision, Trial
from evolora_mesa.ground import contracts_at
from evolora_mesa.host import AdapterBank, HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.streams import Streams
from evolora_mesa.study.baseline_table import as_json, markdown_table, save_texts, shown
from evolora_mesa.study.panels import answer_panel
from evolora_mesa.study.statistics import Interval, t_interval
from evolora_mesa.tasks import Pool

__all__ = ["Accepted", "AcceptedTable", "Life", "uplift_over_seeds", "watch_world"]

_PER_CHILD: Final = 256  # locked prompts


@dataclass(frozen=True)
class Accepted:
    """One child that passed the gate, measured at that moment.

    Attributes:
        gate_uplift: over the better parent on the prompts it was accepted on.
        test_uplift: over the better parent, whoever that is there, on the locked pool; both on the parents' own cells.
        birth_uplift: the same of the child at birth over its parents at that time: what the operator did, before the
            child learned on trial.
        ids: of the parents.
        child, parents: accuracy on the locked pool.
    """

    seed: int
    generation: int
    kind: str
    operator: str
    reason: str
    prompts: int
    gate_uplift: float
    test_uplift: float
    birth_uplift: float
    ids: tuple[int, ...]
    child: float
    parents: tuple[float, ...]


@dataclass(frozen=True)
class Life:
    """One world from beginning to end.

    Attributes:
        accepted: children that passed.
        tried: children conceived, by kind.
        reasons: how often each reason ended a trial or kept one from beginning.
        answers, gate_answers: of the host, in life and at the gate.
        seconds: CPU seconds.
    """

    config: str
    seed: int
    generations: int
    population: int
    accepted: tuple[Accepted, ...]
    tried: dict[str, int]
    reasons: dict[str, int]
    answers: int
    gate_answers: int
    seconds: float

    @property
    def pairs(self) -> int:
        """Different pairs of parents among them."""
        return len({tuple(sorted(child.ids)) for child in self.accepted if child.kind == "merge"})

    @property
    def merges(self) -> int:
        """Accepted children of two parents."""
        return sum(child.kind == "merge" for child in self.accepted)

    def uplift(self, pool: str) -> float:
        """Mean over the accepted children, ``pool`` being ``"birth"``, ``"gate"`` or ``"test"``; nan without any."""
        values = [getattr(child, f"{pool}_uplift") for child in self.accepted]
        return float(np.mean(values)) if values else math.nan


Adapters = list[dict[str, tuple[torch.Tensor, torch.Tensor]]]  # the child's, then the parents'


class _Witness:
    """Keeps the weights of children and parents, at birth and when the child passes, until the world has ended."""

    def __init__(self, model: EcologyModel) -> None:
        self._model = model
        self._born: dict[int, Adapters] = {}
        self.seen: list[tuple[Decision, Adapters, Adapters, int]] = []

    def look(self) -> None:
        """At the end of a generation: the newly born."""
        for trial in self._model.gatehouse.trials:
            if trial.born == self._model.tick:
                self._born[trial.child] = self._weights(trial)

    def __call__(self, decision: Decision) -> None:
        if decision.verdict == "deferred":
            return
        at_birth = self._born.pop(decision.trial.child, None)
        if decision.verdict != "rejected" and at_birth is not None:
            self.seen.append((decision, at_birth, self._weights(decision.trial), self._model.tick))

    def _weights(self, trial: Trial) -> Adapters:
        return [self._model.bank.read(slot) for slot in (trial.slot, *trial.rivals)]


def watch_world(config: WorldConfig, seed: int, service: HostService, generations: int) -> Life:
    """Let a world live, and measure every child that passes its gate on the locked pool.

    Raises:
        ConfigError: settings that are not valid.
    """
    began = time.process_time()
    model = EcologyModel(config, rng=seed, host=service, **{"record.memory": MOST_MEMORY})
    witness = _Witness(model)
    model.gatehouse.observer = witness
    answers = gate_answers = 0
    while model.running and model.tick < generations:
        model.step()
        witness.look()
        answers += model.tally.episodes
        gate_answers += model.tally.gate_rows
    seconds = time.process_time() - began
    births = model.datacollector.tables["births"]
    gates = model.datacollector.tables["gates"]
    ended = [reason for verdict, reason in zip(gates["verdict"], gates["reason"], strict=True) if verdict != "deferred"]
    tried = Counter(
        "merge" if " " in parents else "mutation"
        for operator, parents in zip(births["operator"], births["parents"], strict=True)
        if operator != "elite"
    )
    return Life(
        config=config.name,
        seed=seed,
        generations=model.tick,
        population=len(model.agents),
        accepted=tuple(_measure(model, witness, Streams(seed).python("accepted.test"))),
        tried=dict(sorted(tried.items())),
        reasons=dict(sorted(Counter(ended).items())),
        answers=answers,
        gate_answers=gate_answers,
        seconds=seconds,
    )


def _measure(model: EcologyModel, witness: _Witness, rng: random.Random) -> list[Accepted]:
    """Child and parents on the same locked prompts, as the gate drew them: either parent's cells as often; by the
    contracts that the child passed under, since a shift ends all trials."""
    found = []
    for decision, at_birth, adapters, generation in witness.seen:
        trial = decision.trial
        cells = [
            int(trial.focus[place % len(trial.focus)][rng.randrange(trial.focus[place % len(trial.focus)].size)])
            for place in range(_PER_CHILD)
        ]
        tasks = [model.draw_task(Pool.TEST, cell, rng) for cell in cells]
        bank = _bank_of(model, [*at_birth, *adapters])
        marks = answer_panel(
            model.host,
            bank,
            [slot for slot in bank.used_slots() for _ in tasks],
            tasks * (2 * len(adapters)),
            model.tasks,
            contracts_at(model.config, model.grid.families, generation),
            max_new_tokens=model.config.host.max_new_tokens,
        )
        newborn, *young_parents = marks.success.reshape(2 * len(adapters), -1).mean(1).tolist()[: len(adapters)]
        child, *parents = marks.success.reshape(2 * len(adapters), -1).mean(1).tolist()[len(adapters) :]
        found.append(
            Accepted(
                seed=model.config.seed,
                generation=generation,
                kind=trial.kind,
                operator=trial.operator,
                reason=decision.reason,
                prompts=int(trial.prompts.sum()),
                gate_uplift=decision.uplift,
                test_uplift=child - max(parents),
                birth_uplift=newborn - max(young_parents),
                ids=trial.parents,
                child=child,
                parents=tuple(parents),
            )
        )
    return found


def _bank_of(model: EcologyModel, adapters: Sequence[dict[str, tuple[torch.Tensor, torch.Tensor]]]) -> AdapterBank:
    """A bank that holds just these adapters, in their order."""
    settings = model.config.adapter
    bank = model.host.new_bank(
        settings.sites, capacity=1 + len(adapters), max_rank=settings.max_rank, scaling=settings.scaling
    )
    for slot, adapter in zip(bank.allocate(len(adapters), 1, torch.Generator()).tolist(), adapters, strict=True):
        bank.write(slot, adapter)
    return bank


def uplift_over_seeds(lives: Sequence[Life], pool: str) -> Interval | None:
    """Mean uplift of accepted children over the better parent; a seed's children are averaged first.

    `None` when nobody was accepted in any seed.
    """
    values = [life.uplift(pool) for life in lives if life.accepted]
    return t_interval(values) if values else None


_HEADINGS: Final = (
    "world",
    "seeds",
    "generations",
    "merges tried",
    "merges accepted, by seed",
    "distinct pairs of parents",
    "mutants tried",
    "mutants accepted",
    "confined among the accepted",
    "uplift at birth, locked pool, points",
    "uplift at the gate, points",
    "uplift on the locked pool, points",
    "gate's share of answers",
)


@dataclass(frozen=True)
class AcceptedTable:
    """Worlds side by side; ``alpha`` is the chance of a child that is no better to pass, as their gates promise."""

    lives: tuple[Life, ...]
    alpha: float

    @property
    def worlds(self) -> list[str]:
        """In the order of the lives."""
        return list(dict.fromkeys(life.config for life in self.lives))

    def of(self, world: str) -> list[Life]:
        """The lives of one world, by seed."""
        return [life for life in self.lives if life.config == world]

    def text_rows(self) -> list[list[str]]:
        """A row per world, under the headings."""
        rows = []
        for world in self.worlds:
            lives = self.of(world)
            accepted = [child for life in lives for child in life.accepted]
            gate = sum(life.gate_answers for life in lives)
            rows.append(
                [
                    world,
                    str(len(lives)),
                    " ".join(str(life.generations) for life in lives),
                    str(sum(life.tried.get("merge", 0) for life in lives)),
                    " ".join(str(life.merges) for life in lives),
                    str(sum(life.pairs for life in lives)),
                    str(sum(life.tried.get("mutation", 0) for life in lives)),
                    str(sum(child.kind == "mutation" for child in accepted)),
                    str(sum(child.reason == "confined" for child in accepted)),
                    shown(uplift_over_seeds(lives, "birth"), 100, 1),
                    shown(uplift_over_seeds(lives, "gate"), 100, 1),
                    shown(uplift_over_seeds(lives, "test"), 100, 1),
                    f"{100 * gate / max(gate + sum(life.answers for life in lives), 1):.0f} %",
                ]
            )
        return rows

    def text(self) -> str:
        """For a terminal: a world below the other, a figure per line."""
        blocks = []
        for row in self.text_rows():
            lines = [f"  {heading:<34}{figure}" for heading, figure in zip(_HEADINGS[1:], row[1:], strict=True)]
            blocks.append("\n".join([row[0], *lines]))
        return "\n".join(blocks)

    def markdown(self, command: str | None = None) -> str:
        """The table, and how trials ended."""
        reasons = sorted({reason for life in self.lives for reason in life.reasons})
        counts = []
        for world in self.worlds:
            total: Counter[str] = Counter()
            for life in self.of(world):
                total.update(life.reasons)
            counts.append([world, *(str(total[reason]) for reason in reasons)])
        return "\n".join(
            [
                "# Children that passed the gate",
                "",
                *([f"Made by `{command}`.", ""] if command else []),
                f"Every accepted child met its parents once more, as they were at that moment, on {_PER_CHILD} prompts"
                " of the locked pool from the parents' own cells; uplift is over the parent that was better there."
                " Mean [95 % t interval over seeds]; a seed's children are averaged first. A child that is no better"
                f" passes with a chance of at most {self.alpha:g}. Confined children are counted among the accepted.",
                "",
                *markdown_table(_HEADINGS, self.text_rows()),
                "",
                "How trials ended, and what kept others from beginning (all seeds):",
                "",
                *markdown_table(["world", *reasons], counts),
                "",
            ]
        )

    def to_csv(self) -> str:
        """A line per accepted child."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        names = [field.name for field in fields(Accepted)]
        writer.writerow(["world", *names])
        for life in self.lives:
            for child in life.accepted:
                values = {
                    **asdict(child),
                    "ids": " ".join(map(str, child.ids)),
                    "parents": " ".join(f"{accuracy:.4f}" for accuracy in child.parents),
                }
                writer.writerow([life.config, *(values[name] for name in names)])
        return out.getvalue()

    def to_json(self) -> str:
        """All lives, and the intervals."""
        document = {
            "alpha": self.alpha,
            "lives": [asdict(life) for life in self.lives],
            "uplift": {
                world: {pool: as_json(uplift_over_seeds(self.of(world), pool)) for pool in ("birth", "gate", "test")}
                for world in self.worlds
            },
        }
        return json.dumps(document, indent=1, allow_nan=False) + "\n"

    def save(self, folder: Path, *, command: str | None = None) -> list[Path]:
        """Write ``accepted.json``, ``.md`` and ``.csv``.

        Raises:
            RunError: the folder cannot be written.
        """
        texts = {"accepted.json": self.to_json(), "accepted.md": self.markdown(command), "accepted.csv": self.to_csv()}
        return save_texts(folder, texts)
