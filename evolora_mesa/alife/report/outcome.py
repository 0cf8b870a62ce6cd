"""The outcome of a classic's run in four lines, and the figures to remember."""

from __future__ import annotations

from evolora_mesa.alife.compare.cells import class_of
from evolora_mesa.alife.metrics import METRICS, Finding
from evolora_mesa.alife.report.reading import ClassicFacts
from evolora_mesa.record.report.document import Tile, number
from evolora_mesa.record.report.outcome import counted
from evolora_mesa.study.sweep.plots import figure_text

__all__ = ["beside_drift", "conservation", "outcome", "tiles", "verdict_of"]

_DRIFT = "like drift"


def outcome(facts: ClassicFacts) -> tuple[str, ...]:
    """Four lines: how far it came, who lived, what drift does not explain, and whether the log adds up."""
    return (
        f"The run: {facts.ending}; {facts.config.model}, seed {facts.config.seed}.",
        f"Lives: {_lives(facts)}",
        f"Evolution: {_evolution(facts)}",
        f"Conservation: {conservation(facts)}",
    )


def _lives(facts: ClassicFacts) -> str:
    if not facts.is_kept:
        return "not known, for the run kept no event log (record: false)."
    alive = facts.alive
    return (
        f"{counted(facts.founders, 'founder')}, {counted(int(facts.born.sum()), 'birth')}, "
        f"{counted(int(facts.died.sum()), 'death')}; {number(alive[-1])} alive at the end, at least "
        f"{number(alive.min())} and at most {number(alive.max())} on the way."
    )


def _evolution(facts: ClassicFacts) -> str:
    if facts.measured.error:
        return "n/a, for there is no sound log to measure."
    outside, shaded = beside_drift(facts)
    if not shaded:
        return "n/a, for nothing in this model can be held against a neutral shadow."
    told = ", ".join(f"{name} {verdict}" for name, verdict in outside.items()) or "none"
    heredity = "" if "heredity" in facts.log.capabilities else " Nothing is inherited here."
    dynamics = class_of([facts.measured]).removesuffix(" (1 of 1)")
    return (
        f"of {shaded} figures with neutral shadows, outside of them: {told}. Class of dynamics by this one run: "
        f"{dynamics}.{heredity}"
    )


def conservation(facts: ClassicFacts) -> str:
    """Whether the log adds up, in a sentence."""
    checks = facts.checks
    if not checks:
        return "there is no event log to check (record: false)."
    broken = [f"{name}: {fault}" for name, fault in checks.items() if fault is not None]
    if broken:
        return f"the log is broken, {broken[0]}. Nothing is measured on it."
    return f"the log of {counted(len(facts.log), 'event')} keeps all {len(checks)} invariants."


def beside_drift(facts: ClassicFacts) -> tuple[dict[str, str], int]:
    """Metrics outside of their shadows, with the side; and how many have shadows at all."""
    verdicts = {name: verdict_of(facts.finding(name)) for name in METRICS if facts.finding(name).shadows}
    return {name: verdict for name, verdict in verdicts.items() if verdict != _DRIFT}, len(verdicts)


def verdict_of(found: Finding) -> str:
    """Where the figure of one run lies beside its own shadows; empty without any."""
    if found.value is None or not found.shadows:
        return ""
    if not found.beyond:
        return _DRIFT
    return "above" if found.excess > 0 else "below"


def tiles(facts: ClassicFacts) -> tuple[Tile, ...]:
    """Five figures, as far as there are any."""
    steps = Tile("Steps", number(facts.step), f"of {number(facts.config.generations)} asked for")
    if not facts.is_kept:
        return (steps,)
    outside, shaded = beside_drift(facts)
    broken = any(fault is not None for fault in facts.checks.values())
    return (
        steps,
        Tile("Alive", number(facts.alive[-1]), f"{number(facts.founders)} founders"),
        Tile("Births", number(facts.born.sum()), f"{number(facts.died.sum())} deaths"),
        Tile("Outside of drift", f"{len(outside)} of {shaded}" if shaded else "n/a", "figures with neutral shadows"),
        Tile("Log", "broken" if broken else "adds up", f"{figure_text(len(facts.log))} events"),
    )
