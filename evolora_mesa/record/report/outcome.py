"""The outcome of a run in five lines, and the figures to remember."""

from __future__ import annotations

import numpy as np

from evolora_mesa.record.ends import ends_of
from evolora_mesa.record.report.document import Tile, energy, number, percent, points
from evolora_mesa.record.report.reading import RunFacts

__all__ = ["counted", "ends", "finite", "outcome", "tiles", "told_ending"]


def finite(values: np.ndarray) -> np.ndarray:
    """Those that are."""
    return values[np.isfinite(values)]


def ends(facts: RunFacts, name: str) -> tuple[float, float]:
    """Means of a figure over the first and the last generations that were lived; nan where there are none."""
    found = ends_of(facts.figures[name][1:].tolist())
    return found.first, found.last


def told_ending(facts: RunFacts) -> str:
    """How far the run has come."""
    if facts.extinct:
        return f"extinct in generation {facts.last}"
    if facts.last >= facts.asked:
        return f"finished after {facts.last} generations"
    return f"generation {facts.last} of {facts.asked}: still running, or ended early"


def outcome(facts: RunFacts) -> tuple[str, ...]:
    """Five lines: what became of the world, of its answers, of its economy, of its selection, and what it cost."""
    return (_world(facts), _learning(facts), _economy(facts), _selection(facts), _cost(facts))


def _world(facts: RunFacts) -> str:
    census = facts.phylogeny.census()
    alive = int(facts.figures["population"][-1])
    cells = len(facts.families) * facts.depths
    where = f", in {number(facts.figures['cells_occupied'][-1])} of {cells} cells" if alive else ""
    end = "Everybody died" if facts.extinct else f"Alive are {counted(alive, 'organelle')}"
    return (
        f"The world: {told_ending(facts)}. {end}{where}; {counted(census.founders, 'founder')}, "
        f"{counted(census.births, 'child', 'children')}, {counted(census.revivals, 'elite')} that came back, "
        f"{counted(census.deaths, 'death')}."
    )


def _learning(facts: RunFacts) -> str:
    first, last = ends(facts, "success_rate")
    if not np.isfinite(first):
        return "Answers: nobody has answered anything yet."
    return (
        f"Answers: {percent(first)} were right and in the paid style at first, {percent(last)} at last "
        f"({points(last - first)} points). These are the tasks that organelles chose to live on, not a locked test."
    )


def _economy(facts: RunFacts) -> str:
    first, last = ends(facts, "mean_roi")
    if not np.isfinite(first):
        return "Economy: nobody has earned anything yet."
    final = facts.snapshots[-1].layers
    market = ""
    if final["price"].size and np.isfinite(final["price"]).any():
        family, depth = divmod(int(np.nanargmax(final["price"])), facts.depths)
        price, success = (float(final[name][family, depth]) for name in ("price", "success"))
        market = (
            f" A success pays most in {facts.families[family]} depth {depth + 1}: {number(price)} energy, where "
            f"{percent(success, 0)} succeed."
        )
    living = "more than" if last > 1 else "no more than"
    return (
        f"Economy: {number(first)} energy earned per energy spent at first, {number(last)} at last, {living} a "
        f"living.{market}"
    )


def _selection(facts: RunFacts) -> str:
    passed = [gate for gate in facts.gates if gate.verdict != "rejected"]
    if not facts.gates:
        return "Selection: no child has come to the end of its trial."
    merges = sum(gate.kind == "merge" for gate in passed)
    gains = finite(np.array([gate.uplift for gate in passed]))
    gain = (
        f"; at the gate those were {100 * gains.mean():.1f} points better than the better parent, on average"
        if gains.size
        else ""
    )
    census = facts.phylogeny.census()
    return (
        f"Selection: of {counted(len(facts.gates), 'child', 'children')} tried to the end {len(passed)} passed the "
        f"gate ({counted(merges, 'merge')}, {counted(len(passed) - merges, 'mutant')}){gain}. "
        f"{census.founders_with_heirs} of {counted(census.founders, 'founder')} live on, themselves or in descendants."
    )


def _cost(facts: RunFacts) -> str:
    tokens = facts.total("prompt_tokens") + facts.total("generated_tokens")
    return (
        f"Cost: {number(facts.total('episodes'))} episodes with {number(tokens)} tokens, "
        f"{number(facts.total('gate_answers'))} gate answers with {number(facts.total('gate_tokens'))} tokens, "
        f"{energy(facts.figures['energy_soil'][-1])} energy, {number(facts.total('step_seconds'), 0)} s of processor "
        "time."
    )


def counted(count: int, one: str, many: str = "") -> str:
    """A number of things."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def tiles(facts: RunFacts) -> tuple[Tile, ...]:
    """Six figures."""
    success, roi = ends(facts, "success_rate"), ends(facts, "mean_roi")
    census = facts.phylogeny.census()
    tried = len(facts.gates)
    passed = sum(gate.verdict != "rejected" for gate in facts.gates)
    tokens = sum(facts.total(name) for name in ("prompt_tokens", "generated_tokens", "gate_tokens"))
    return (
        Tile("Paid in full", percent(success[1], 0), f"of answers; {percent(success[0], 0)} at first"),
        Tile("ROI", number(roi[1]), f"energy earned per spent; {number(roi[0])} at first"),
        Tile("Alive", number(facts.figures["population"][-1]), f"{census.births} children, {census.deaths} deaths"),
        Tile("Passed the gate", f"{passed} of {tried}", "children whose trial ended"),
        Tile("Lineages", number(facts.figures["lineages"][-1]), f"of {census.founders} founders"),
        Tile("Tokens", _short(tokens), "read and written, gates included"),
    )


def _short(value: float) -> str:
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return number(value, 0)
