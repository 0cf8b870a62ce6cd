"""How fast the app opens and draws, measured in Chromium.

    python benchmarks/app_speed.py [--starts 5] [--seconds 10] [--rounds 5] [--json FILE] [--csv FILE]

* opening: seconds from the start of the process to the first drawn grid of the world `ecology`, median of several
  starts; wanted at most 8;
* drawing: generations per second whose grid the page has drawn, of 16 organelles that answer one prompt each, played
  without a limit; wanted at least 10;
* burden: seconds that a world takes for the same generations with a page that draws them and with nobody looking on,
  in turn, in one process; wanted at most 1.25, that is a world slowed down by at most 20 %.

Exits with 1 when one is missed.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from app_at_hand import Server, Tab, chromium, server_here
from common import Gate, machine, show_gates, write

from evolora_mesa import EcologyModel
from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.view.hosts import shared_host
from evolora_mesa.view.opening import Opening
from evolora_mesa.view.picture import take_picture
from evolora_mesa.view.session import Session
from evolora_mesa.view.stage import Stage

# Sixteen who stay, work in small batches, and are never tried: so a generation is short and the next one is alike.
_SWIFT = {
    "population.episodes": 1,
    "population.roster": "fixed",
    "reproduction.enabled": False,
    "gate.enabled": False,
    "host.max_new_tokens": 8,
}
_WARM = 20  # generations before anything is measured
_LAP = 30  # generations of a round
_GRID = "[aria-label^='Task grid in generation'][data-drawn]"
# Which generations the grid has shown: its label is of the same drawing as the option that `data-drawn` counts.
_COUNT = """selector => {
  const grid = document.querySelector(selector);
  window.drawn = new Set();
  new MutationObserver(() => window.drawn.add(grid.getAttribute("aria-label").match(/generation (\\d+)/)[1]))
    .observe(grid, { attributeFilter: ["data-drawn"] });
}"""


def opening(browser: Any, starts: int) -> list[float]:
    """Seconds to the first drawn grid, of each start."""
    taken = []
    for _ in range(starts):
        began = time.monotonic()
        with Server("ecology") as server:
            listening = time.monotonic() - began
            with Tab(browser, server.address) as tab:
                tab.page.locator(f"{_GRID} canvas").wait_for()
                taken.append(time.monotonic() - began)
        print(f"listening after {listening:.1f} s, grid drawn after {taken[-1]:.1f} s", flush=True)
    return taken


def drawing(tab: Tab, seconds: float) -> tuple[float, float]:
    """Generations drawn per second, and generations lived per second, while the world plays without a limit."""
    tab.page.evaluate(_COUNT, _GRID)
    tab.press("Play")
    tab.page.wait_for_timeout(3000)
    before, lived = tab.page.evaluate("window.drawn.size"), tab.generation()
    began = time.monotonic()
    tab.page.wait_for_timeout(1000 * seconds)
    taken = time.monotonic() - began
    drawn, lived = tab.page.evaluate("window.drawn.size") - before, tab.generation() - lived
    tab.press("Pause")
    tab.reads("paused")
    return drawn / taken, lived / taken


def burden(shown: Stage, config: WorldConfig, rounds: int) -> list[tuple[float, float]]:
    """Seconds per generation of the world that a page draws and of its twin, round by round."""
    twin = Stage(lambda: EcologyModel(config, host=shared_host(config)), take_picture)
    _play_to(twin, shown.picture.tick)
    taken, start = [], shown.picture.tick
    for number in range(rounds):
        stages, goal = ((shown, twin) if number % 2 else (twin, shown)), start + (number + 1) * _LAP
        seconds = {stage: _play_to(stage, goal) for stage in stages}
        taken.append((seconds[shown], seconds[twin]))
        print(f"{1 / seconds[shown]:.1f} generations / s drawn, {1 / seconds[twin]:.1f} alone", flush=True)
    twin.close()
    return taken


def _play_to(stage: Stage, generation: int) -> float:
    """Seconds per generation, until the world is there."""
    while stage.status == "loading":
        time.sleep(0.01)
    began, before = time.monotonic(), stage.picture.tick
    stage.play()
    while stage.picture.tick < generation:
        if stage.status != "playing":
            raise SystemExit(f"the world is {stage.status}: {stage.message}")
        time.sleep(0.002)
    taken, lived = time.monotonic() - began, stage.picture.tick - before
    stage.pause()
    stage.ask(lambda model: None).result()  # the generation under way has ended
    return taken / max(lived, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of Play whose drawings are counted")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    facts, gates = machine(), []
    with chromium() as browser:
        if arguments.starts:
            taken = opening(browser, arguments.starts)
            gates.append(Gate("seconds to the first grid", statistics.median(taken), 8, False))
        config = load_config("ecology", _SWIFT)
        with server_here(Opening(config=config)) as address, Tab(browser, address) as tab:
            tab.reads("paused.*generation 0")
            (session,) = (thing for thing in gc.get_objects() if type(thing) is Session)
            _play_to(session.stage.value, _WARM)
            drawn, lived = drawing(tab, arguments.seconds)
            print(f"{drawn:.1f} generations drawn / s of {lived:.1f} lived", flush=True)
            gates.append(Gate("generations drawn per second", drawn, 10, True))
            taken = burden(session.stage.value, config, arguments.rounds)
            gates.append(
                Gate("seconds drawn over seconds alone", statistics.median(a / b for a, b in taken), 1.25, False)
            )
            if tab.wrong:
                print(*tab.wrong, sep="\n")
    rows = [{"figure": gate.what, "value": round(gate.value, 3)} for gate in gates]
    write(rows, gates, facts, json_file=arguments.json, csv_file=arguments.csv)
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
