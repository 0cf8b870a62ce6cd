"""Pictures of single runs: waves of activity, Hill numbers, and the tree of the living."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.alife.compare.outcome import Outcome
from evolora_mesa.record.report.document import Key, Picture
from evolora_mesa.record.report.drawing import Axis, Frame, svg
from evolora_mesa.study.sweep.plots import figure_text

__all__ = ["hill_picture", "phylogeny_picture", "wave_picture"]

_MUCH: Final = 1e-9


class _Curve(NamedTuple):
    label: str
    style: str
    values: np.ndarray


def wave_picture(run: Outcome) -> Picture | None:
    """Activity of the components that got furthest, and the mean of neutral shadows; none when nothing lived on."""
    curves = [_Curve("component", "s0", _numbers(wave)) for wave in run.sketch["waves"]]
    shadow = _Curve("mean of the shadows", "s3 d1", _numbers(run.sketch["shadow"]))
    furthest = figure_text(max((float(np.nanmax(curve.values)) for curve in curves), default=0.0))
    told = f"Activity in {run.column}: of {len(curves)} components the furthest is at {furthest} generations"
    return _drawn(f"Activity, {run.column}", run, [*curves, shadow], "activity (generations)", told)


def hill_picture(run: Outcome) -> Picture | None:
    """Hill numbers of orders 0, 1 and 2 over time."""
    curves = [_Curve(f"order {q}", f"s{q}", _numbers(values)) for q, values in run.sketch["hill"].items()]
    ends = ", ".join(
        f"{figure_text(float(curve.values[np.isfinite(curve.values)][-1]))} of {curve.label}"
        for curve in curves
        if np.isfinite(curve.values).any()
    )
    return _drawn(f"Hill numbers, {run.column}", run, curves, "effective phenotypes", f"{run.column} ends with {ends}")


def phylogeny_picture(run: Outcome) -> Picture | None:
    """The tree of a sample of those who live in the end; none without two of them."""
    nodes: list[tuple[float, int]] = [(time, parent) for time, parent in run.sketch["tree"]]
    if len(nodes) < 2:
        return None
    height = _heights([parent for _, parent in nodes])
    frame = Frame(Axis.around(0.0, max(time for time, _ in nodes)), Axis(0.0, max(height) or 1.0))
    parts = []
    for (time, parent), level in zip(nodes, height, strict=True):
        across, down = frame.at(time, level)
        if parent >= 0:
            begin, above = frame.at(nodes[parent][0], height[parent])
            parts.append(f'<path class="line s0" d="M{begin:.1f} {above:.1f}V{down:.1f}H{across:.1f}"/>')
        else:
            parts.append(f'<circle class="dot s0" cx="{across:.1f}" cy="{down:.1f}" r="2.5"/>')
    roots = sum(parent < 0 for _, parent in nodes)
    leaves = len(nodes) - len({parent for _, parent in nodes if parent >= 0})
    told = f"Phylogeny of {run.column}: {leaves} of the living, of {roots} founders."
    grid = [part for part in frame.axes("", "birth (generations)", whole=False) if 'class="tick end"' not in part]
    return Picture(f"Phylogeny, {run.column}", svg(frame.width, frame.height, [*grid, *parts], told), told)


def _drawn(title: str, run: Outcome, curves: Sequence[_Curve], unit: str, told: str) -> Picture | None:
    time = _numbers(run.sketch["time"])
    curves = [curve for curve in curves if len(curve.values) == len(time) and np.isfinite(curve.values).any()]
    if not curves or len(time) < 2 or time[-1] < _MUCH:
        return None
    highest = max(float(np.nanmax(curve.values)) for curve in curves)
    frame = Frame(Axis.around(0.0, float(time[-1])), Axis.around(0.0, highest))
    parts = frame.axes(unit, "generations", whole=False)
    parts += [f'<path class="line {curve.style}" d="{frame.path(time, curve.values)}"/>' for curve in curves]
    keys = tuple(Key(label, f"line {style}") for label, style in {curve.label: curve.style for curve in curves}.items())
    told = f"{told}, seed {run.seed}."
    return Picture(title, svg(frame.width, frame.height, parts, told), told, keys)


def _heights(parents: Sequence[int]) -> list[float]:
    """Place of each node from top to bottom: leaves side by side, branchings in the middle of their branches."""
    children: dict[int, list[int]] = {}
    for node, parent in enumerate(parents):
        children.setdefault(parent, []).append(node)
    height, stack, row = [0.0] * len(parents), children.get(-1, [])[::-1], 0
    while stack:
        node = stack.pop()
        stack += children.get(node, [])[::-1]
        if node not in children:
            height[node], row = float(row), row + 1
    for node in range(len(parents) - 1, -1, -1):
        if node in children:
            height[node] = sum(height[child] for child in children[node]) / len(children[node])
    return height


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], float)
