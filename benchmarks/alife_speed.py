"""Steps per second of the classic models against those that Mesa ships, at the same size and by the same rules.

    python benchmarks/alife_speed.py [--rounds 7] [--ticks 60] [--json FILE] [--csv FILE]

In each round every route runs the same number of ticks from its founders, one after another, in CPU seconds of one
thread; a ratio is formed within a round. Shown is the mean over rounds with its 95 % t interval. The last
column is the mean population over those ticks, which must agree where the rules do.

What is made equal, and how:

* Wolf-Sheep: 51 x 51 torus, 100 sheep, 50 wolves, grass, Mesa's parameters. Mesa's animals look at four cells, sheep
  flee wolves and prefer grass, wolves prefer sheep; ours do the same with ``moves="seek"``. Both count the animals and
  the grass after each tick.
* Sugarscape: 50 x 50, the same map, edges that do not meet, 400 foragers, vision 1 to 6, metabolism 1 to 4, 5 to 25
  sugar. Mesa's has a second good and trade: trade is off, and spice is made weightless by setting its metabolism to 0
  on the agents (welfare is then sugar alone); nothing in its code is changed. Mesa's foragers see a diamond without
  their own site, ours with ``sight="diamond"`` too. Mesa's founders may share a site, ours may not.
* Boltzmann: 500 owners of 1 unit on 20 x 20 cells with edges; a step to a cell around, a unit to somebody there; ours
  with ``meeting="neighbours"``. Both compute the Gini coefficient after each tick.

Mesa's rows per agent and per trade, which ours have no counterpart of, are left out: its collectors keep the model's
figures only. Ours are run without an event log, as Mesa has none, and once more with it.

Exits with 1 when Wolf-Sheep or Sugarscape is below 3 times.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

import mesa
from common import Gate, machine, show_gates, write
from mesa.examples.advanced.sugarscape_g1mt.model import SugarscapeG1mt
from mesa.examples.advanced.wolf_sheep.agents import Sheep, Wolf
from mesa.examples.advanced.wolf_sheep.model import WolfSheep as MesaWolfSheep
from mesa.examples.basic.boltzmann_wealth_model.model import BoltzmannWealth
from mesa.experimental.devs import ABMSimulator

from evolora_mesa.alife.boltzmann import Boltzmann
from evolora_mesa.alife.sugarscape import Sugarscape
from evolora_mesa.alife.wolf_sheep import WolfSheep
from evolora_mesa.study.statistics import t_interval

MESA, OURS, LOGGED = "Mesa", "here", "here, with log"


@dataclass
class Route:
    """One program for one model.

    Attributes:
        build: a model of a seed.
        figure: what must agree, of the model after a tick.
    """

    part: str
    name: str
    build: Callable[[int], Any]
    figure: Callable[[Any], float]
    seconds: list[float] = field(default_factory=list)
    figures: list[float] = field(default_factory=list)

    def run(self, seed: int, ticks: int) -> tuple[float, float]:
        """CPU seconds of some ticks, and the mean of the figure over them."""
        model = self.build(seed)
        step = model.simulator.run_for if isinstance(model, MesaWolfSheep) else lambda _: model.step()
        spent, figures = 0.0, []
        for _ in range(ticks):
            began = time.process_time()
            step(1)
            spent += time.process_time() - began
            figures.append(self.figure(model))
        return spent, statistics.mean(figures)


def mesa_wolf_sheep(seed: int) -> MesaWolfSheep:
    return MesaWolfSheep(width=51, height=51, seed=seed, simulator=ABMSimulator())


def mesa_sugarscape(seed: int) -> SugarscapeG1mt:
    model = SugarscapeG1mt(
        initial_population=400,
        endowment_min=5,
        endowment_max=25,
        metabolism_max=4,
        vision_max=6,
        enable_trade=False,
        seed=seed,
    )
    for agent in model.agents:
        agent.metabolism_spice, agent.spice = 0, 1
    model.datacollector = mesa.DataCollector({"foragers": lambda m: len(m.agents)})
    return model


def mesa_boltzmann(seed: int) -> BoltzmannWealth:
    model = BoltzmannWealth(n=500, width=20, height=20, seed=seed)
    model.datacollector = mesa.DataCollector({"Gini": model.compute_gini})
    return model


def routes() -> list[Route]:
    def both(part: str, build: Callable[..., Any], figure: Callable[[Any], float]) -> list[Route]:
        return [
            Route(part, name, lambda seed, record=record: build(rng=seed, record=record), figure)
            for name, record in ((OURS, False), (LOGGED, True))
        ]

    return [
        Route(
            "Wolf-Sheep",
            MESA,
            mesa_wolf_sheep,
            lambda m: len(m.agents_by_type[Sheep]) + len(m.agents_by_type[Wolf]),
        ),
        *both(
            "Wolf-Sheep",
            lambda **options: WolfSheep(moves="seek", **options),
            lambda m: sum(herd.shape[1] for herd in m.herds),
        ),
        Route("Sugarscape", MESA, mesa_sugarscape, lambda m: len(m.agents)),
        *both(
            "Sugarscape",
            lambda **options: Sugarscape(rules="M", sight="diamond", torus=False, **options),
            lambda m: m.people.shape[1],
        ),
        Route("Boltzmann", MESA, mesa_boltzmann, lambda m: m.compute_gini()),
        *both(
            "Boltzmann",
            lambda **options: Boltzmann(agents=500, width=20, height=20, meeting="neighbours", **options),
            lambda m: m.series()["wealth_gini"][-1],
        ),
    ]


def measure(runners: list[Route], rounds: int, ticks: int) -> int:
    """Run the routes in turn, a seed per round; how many seeds were of no use.

    Mesa's foragers cannot stay where they are: one with all sites in view taken ends the run with an error.
    """
    seed = 0
    while len(runners[0].seconds) < rounds:
        try:
            found = [route.run(seed, ticks) for route in runners]
        except ValueError:
            found = []
        for route, (seconds, figure) in zip(runners, found, strict=bool(found)):
            route.seconds.append(seconds)
            route.figures.append(figure)
        seed += 1
    return seed - rounds


def row(route: Route, reference: Route, ticks: int) -> dict[str, Any]:
    """The line of a results file."""
    ratios = [slow / fast for slow, fast in zip(reference.seconds, route.seconds, strict=True)]
    times = t_interval(ratios)
    return {
        "part": route.part,
        "route": route.name,
        "steps_per_cpu_second": round(ticks / statistics.median(route.seconds), 1),
        "times": round(times.mean, 2),
        "times_low": round(times.low, 2),
        "times_high": round(times.high, 2),
        "figure": round(statistics.mean(route.figures), 3),
        "rounds": times.n,
        "ticks": ticks,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--ticks", type=int, default=60)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    runners = routes()
    for route in runners:  # the first run fills caches
        route.run(0, 3)
    for part in dict.fromkeys(route.part for route in runners):
        lost = measure([route for route in runners if route.part == part], options.rounds, options.ticks)
        if lost:
            print(f"{part}: left out {lost} seeds on which Mesa's stopped with a ValueError")
    mesas = {route.part: route for route in runners if route.name == MESA}
    rows = [row(route, mesas[route.part], options.ticks) for route in runners]
    for line in rows:
        print(
            f"{line['part']:11s} {line['route']:15s} {line['steps_per_cpu_second']:8.1f} steps per CPU second, "
            f"{line['times']:6.2f} times Mesa [{line['times_low']:.2f}, {line['times_high']:.2f}]; "
            f"mean {'Gini' if line['part'] == 'Boltzmann' else 'population'} {line['figure']:.3f}"
        )
    gates = [
        Gate(f"{line['part']}, {line['route']}, over Mesa", line["times"], 3.0, True)
        for line in rows
        if line["route"] != MESA and line["part"] != "Boltzmann"
    ]
    write(rows, gates, machine(), json_file=options.json, csv_file=options.csv)
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
