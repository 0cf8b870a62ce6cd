"""Whether the app keeps its memory and its temper: ten minutes of Play, a hundred Resets, in Chromium.

    python benchmarks/app_endurance.py [--world ecology] [--minutes 10] [--resets 100] [--json FILE] [--csv FILE]

* memory: growth of the server's resident set between minute 1 and the last one of Play; wanted at most 30 MiB;
* errors: what the page complained of meanwhile; wanted none;
* worlds: most models alive right after a Reset, of which each followed on a little Play; wanted at most 2.

Exits with 1 when one is missed.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path

from app_at_hand import Server, Tab, chromium, server_here
from common import Gate, machine, show_gates, write

from evolora_mesa import EcologyModel
from evolora_mesa.view.opening import Opening


def play(world: str, minutes: int) -> tuple[list[float], list[str]]:
    """MiB of the server after each minute of Play, from minute 0, and what the page complained of."""
    with chromium() as browser, Server(world) as server, Tab(browser, server.address) as tab:
        tab.reads("paused.*generation 0")
        tab.press("Play")
        began, held = time.monotonic(), [server.resident()]
        for minute in range(1, minutes + 1):
            while time.monotonic() < began + 60 * minute:
                tab.page.wait_for_timeout(500)  # hears what the page says
            held.append(server.resident())
            print(f"minute {minute}: {held[-1]:.0f} MiB; {tab.status()}", flush=True)
        if "playing" not in tab.status():
            tab.wrong.append(f"the world does not play any more: {tab.status()}")
        return held, tab.wrong


def reset(times: int) -> tuple[int, list[str]]:
    """Most models alive right after a Reset of a small world, and what the page complained of."""
    most = 0
    with chromium() as browser, server_here(Opening(config="smoke")) as address, Tab(browser, address) as tab:
        tab.reads("paused.*generation 0")
        for _ in range(times):
            tab.press("Play")
            tab.reads("generation [1-9]")
            tab.press("Reset")
            tab.reads("paused.*generation 0")
            most = max(most, len(_alive(EcologyModel)))
        return most, tab.wrong


def _alive(kind: type) -> list[object]:
    """Objects of a kind that nothing has freed; no collection is made for them."""
    return [thing for thing in gc.get_objects() if type(thing) is kind]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--world", default="ecology", help="that is played")
    parser.add_argument("--minutes", type=int, default=10, help="of Play")
    parser.add_argument("--resets", type=int, default=100)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    gates, rows, wrong = [], [], []
    if arguments.minutes > 1:
        held, wrong = play(arguments.world, arguments.minutes)
        gates.append(Gate(f"MiB of growth from minute 1 to {arguments.minutes} of Play", held[-1] - held[1], 30, False))
        rows += [
            {"figure": f"MiB after minute {minute}", "value": round(value, 1)} for minute, value in enumerate(held)
        ]
    if arguments.resets:
        most, complaints = reset(arguments.resets)
        wrong += complaints
        gates.append(Gate(f"models alive, in {arguments.resets} Resets", most, 2, False))
    gates.append(Gate("complaints of the page", len(wrong), 0, False))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    rows += [{"figure": gate.what, "value": gate.value} for gate in gates]
    write(rows, gates, machine(), json_file=arguments.json, csv_file=arguments.csv)
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
