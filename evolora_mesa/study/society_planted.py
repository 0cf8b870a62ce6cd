"""A planted world in which teams pay: equally good adapters of one family whose errors are independent.

``python -m evolora_mesa.study.society_planted --out docs/results/society``

A specialist is trained and copied, each copy with noise of its own, as strong as it takes to bring copies to about
seven in ten; the three nearest to that are the team. Answering nearly greedily, one of them asked three times says the
same three times, while three err on different prompts. Noise and team are chosen on the `gate` pool, what is reported
is read on `test`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.evolution.mutation import mutate
from evolora_mesa.host import AdapterBank, HostService, Request
from evolora_mesa.hosting import host_for
from evolora_mesa.society.joint import answer_keys, choose_answers
from evolora_mesa.streams import Streams
from evolora_mesa.study.arms import carry_out, rows_csv, study_parser
from evolora_mesa.study.baseline_table import markdown_table, shown
from evolora_mesa.study.deployment import Ground
from evolora_mesa.study.lanes import train_lanes
from evolora_mesa.study.statistics import paired_difference, t_interval
from evolora_mesa.tasks import Pool, Task
from evolora_mesa.workload import grade

__all__ = ["PlantedTeam", "main", "planted_page", "planted_teams"]

_MEMBERS: Final = 3
_WANTED: Final = 0.7  # success of a copy
_INDEPENDENT: Final = 0.75  # spread above which errors are called independent
_COPIES: Final = 6  # of every specialist and noise
_LOUD: Final = (1.5, 2.5, 4.0)  # noise to try, relative to the adapter's norm
_EPISODES, _ROWS = 512, 16
_GATE, _TEST = 48, 96  # prompts of a family to choose on, and to report on


@dataclass(frozen=True)
class PlantedTeam:
    """One family's team of one seed at one temperature; shares in [0, 1].

    Attributes:
        single: mean of the copies, each asked once.
        vote: of the three copies.
        best_of: of the best copy asked three times.
        spread: share of the prompts on which two copies differ in being right, over what it would be if their errors
            were independent; on the `gate` pool.
    """

    seed: int
    family: str
    temperature: float
    single: float
    vote: float
    best_of: float
    spread: float


def planted_teams(
    host: HostService, config: WorldConfig, seed: int, temperatures: tuple[float, ...] = (0.001, 1.0)
) -> list[PlantedTeam]:
    """Teams of every family of a world's tasks, with their controls."""
    ground, streams = Ground.of(config), Streams(seed)
    families = ground.families
    bank = host.new_bank(
        config.adapter.sites,
        capacity=1 + len(families) * (1 + _COPIES * len(_LOUD)),
        max_rank=config.adapter.max_rank,
        scaling=config.adapter.scaling,
    )
    generator = torch.Generator().manual_seed(streams.integer("weights"))
    specialists = bank.allocate(len(families), config.adapter.rank, generator)
    train_lanes(
        host,
        bank,
        specialists,
        [[(family, depth) for depth in range(1, ground.depths + 1)] for family in families],
        ground.source,
        ground.contracts,
        config.plasticity,
        episodes=_EPISODES,
        rows=_ROWS,
        seed=seed,
        max_new_tokens=ground.max_new_tokens,
    )
    strengths = [strength for _ in families for strength in _LOUD for _ in range(_COPIES)]
    parents = specialists.repeat_interleave(_COPIES * len(_LOUD))
    copies = bank.allocate(len(strengths), 1, generator)
    seeds = [streams.integer(f"noise.{row}") for row in range(len(strengths))]
    mutate(bank, parents, copies, kinds=["gaussian"] * len(seeds), strength=torch.tensor(strengths), seeds=seeds)
    teams = copies.reshape(len(families), -1)
    found = []
    for number, family in enumerate(families):
        room = _Room(host, bank, ground, family, streams)
        answered = room.right(teams[number].tolist(), Pool.GATE, _GATE, 0.001)[0]  # [copies, prompts]
        answered = answered.reshape(len(_LOUD), _COPIES, _GATE)
        gate = answered.mean(2)
        level = int(np.abs(gate.mean(1) - _WANTED).argmin())
        members = np.argsort(np.abs(gate[level] - _WANTED), kind="stable")[:_MEMBERS]
        team = teams[number].reshape(gate.shape)[level, members].tolist()
        best = team[int(gate[level, members].argmax())]
        spread = _spread(answered[level, members])
        for temperature in temperatures:
            single, vote = room.right(team, Pool.TEST, _TEST, temperature)
            _, best_of = room.right([best] * _MEMBERS, Pool.TEST, _TEST, temperature)
            found.append(
                PlantedTeam(
                    seed,
                    family,
                    temperature,
                    float(single.mean()),
                    float(vote.mean()),
                    float(best_of.mean()),
                    spread,
                )
            )
    return found


def _spread(single: np.ndarray) -> float:
    """Of successes ``[members, prompts]``; 1 if errors are independent, 0 if they are the same."""
    pairs = [(0, 1), (0, 2), (1, 2)]
    rate = single.mean(1)
    expected = sum(rate[one] * (1 - rate[other]) + rate[other] * (1 - rate[one]) for one, other in pairs)
    seen = sum((single[one] != single[other]).mean() for one, other in pairs)
    return float(seen / expected) if expected else float("nan")


class _Room:
    """Where one family's teams are examined: the same prompts of a pool for all of them."""

    def __init__(self, host: HostService, bank: AdapterBank, ground: Ground, family: str, streams: Streams) -> None:
        self._host, self._bank, self._ground, self._streams = host, bank, ground, streams
        self._tasks: dict[Pool, list[Task]] = {}
        for pool, count in ((Pool.GATE, _GATE), (Pool.TEST, _TEST)):
            rng = streams.python(f"planted.{family}.{pool}")
            self._tasks[pool] = [
                ground.source.draw(pool, family, 1 + place % ground.depths, rng) for place in range(count)
            ]

    def right(self, slots: list[int], pool: Pool, count: int, temperature: float) -> tuple[np.ndarray, np.ndarray]:
        """Successes of each answer ``[slots, prompts]``, and of their vote ``[prompts]``."""
        tasks, key = self._tasks[pool], self._streams.integer(f"planted.{pool}") >> 1
        asked = [(slot, task) for slot in slots for task in tasks]
        answers = self._host.answer(
            [Request(slot, task.prompt, key + row) for row, (slot, task) in enumerate(asked)],
            self._bank,
            temperature=temperature,
            max_new_tokens=self._ground.max_new_tokens,
        )
        shape = len(slots), count
        texts = np.array(answers.texts, dtype=object).reshape(shape).T
        luck = answers.log_probability.numpy().astype(float).reshape(shape).T
        chosen = choose_answers(answer_keys(texts.tolist()), luck, np.ones(texts.shape), "vote")

        def success(given: list[str], of: list[Task]) -> np.ndarray:
            return grade(of, given, self._ground.source, self._ground.contracts).success

        single = success(answers.texts, [task for _, task in asked]).reshape(shape)
        return single, success(texts[np.arange(count), chosen].tolist(), tasks)


# ---------------------------------------------------------------- report


def planted_page(teams: Sequence[PlantedTeam], command: str) -> str:
    """Means over families, by how independent the errors are; intervals over seeds."""
    table = []
    for temperature in dict.fromkeys(team.temperature for team in teams):
        for errors, independent in (("independent", True), ("shared", False)):
            mine = [
                team
                for team in teams
                if team.temperature == temperature and (team.spread > _INDEPENDENT) is independent
            ]
            if mine:
                table.append([f"{temperature:g}, {errors}", str(len(mine)), *_means(mine)])
    headings = ["temperature, errors", "teams", "one member %", "vote of three %", "best member, three answers %"]
    return "\n".join(
        [
            "# Planted teams",
            "",
            f"Made by `{command}`.",
            "",
            "Mean [95 % t interval over seeds]; a seed's families are averaged first. Errors are called independent"
            f" where two copies differ in being right on more than {_INDEPENDENT:g} of the prompts on which they would"
            " if their errors were independent.",
            "",
            *markdown_table([*headings, "vote − best member, points"], table),
            "",
        ]
    )


def _means(teams: Sequence[PlantedTeam]) -> list[str]:
    seeds = sorted({team.seed for team in teams})

    def mean(name: str) -> list[float]:
        return [float(np.mean([getattr(team, name) for team in teams if team.seed == seed])) for seed in seeds]

    single, vote, best = mean("single"), mean("vote"), mean("best_of")
    found = [t_interval(single), t_interval(vote), t_interval(best), paired_difference(vote, best)]
    return [shown(interval, 100, 1) for interval in found]


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""

    def study(given: argparse.Namespace, command: str) -> dict[str, str]:
        config = load_config("ecology")
        host = host_for(config)
        teams = [team for seed in range(given.seeds) for team in planted_teams(host, config, seed)]
        return {"planted.md": planted_page(teams, command), "planted.csv": rows_csv(teams)}

    return carry_out(study_parser("society_planted"), study, arguments, say)


if __name__ == "__main__":
    raise SystemExit(main())
