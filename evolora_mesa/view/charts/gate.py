"""The gate at work: how the evidence for every child climbs towards the line at which it passes."""

from __future__ import annotations

import math
from typing import Final

from evolora_mesa.view.charts.frame import Option, axis, frame, short
from evolora_mesa.view.picture import Picture, TrialView
from evolora_mesa.view.theme import Theme

__all__ = ["PASSED", "gate_chart", "told_verdict"]

PASSED: Final = ("accepted", "confined")
_MOST_ENDED: Final = 8  # trials that are over and still drawn
_MOST_POINTS: Final = 60
_LOWEST, _HIGHEST = -4.0, 6.0  # powers of ten that are drawn


def gate_chart(picture: Picture, theme: Theme) -> Option | None:
    """e-values of open trials and of the latest that ended; `None` where there was no trial yet."""
    ended = [trial for trial in picture.verdicts[-_MOST_ENDED:] if trial.path]
    if not ended and not picture.trials:
        return None
    line = 1.0 / picture.alpha
    shown = [*ended, *picture.trials]
    series = [_path(trial, theme, None, faded=True) for trial in ended]
    series += [_path(trial, theme, place, faded=False) for place, trial in enumerate(picture.trials)]
    series[0]["markLine"] = {
        "silent": True,
        "symbol": "none",
        "lineStyle": {"color": theme.good, "type": "dashed", "width": 1.5},
        "label": {
            "formatter": f"shown to be better: e = 1/α = {short(line)}",
            "position": "insideStartTop",
            "color": theme.good,
            "fontSize": 11,
        },
        "data": [{"yAxis": math.log10(line)}],
    }
    most = max(2.0, *(_power(log_e) for trial in shown for _, log_e in trial.path))
    least = min(-1.0, *(_power(log_e) for trial in shown for _, log_e in trial.path))
    return {
        **frame(theme),
        "grid": {"left": 12, "right": 56, "top": 36, "bottom": 26, "containLabel": True},
        "xAxis": axis(theme, "generation", across=True, minInterval=1),
        "yAxis": axis(
            theme,
            "evidence for the child",
            "e-value, cut at a million",
            min=math.floor(least),
            max=math.ceil(most),
            minInterval=1,
            axisLabel={"color": theme.soft, "fontSize": 11, "formatter": "1e{value}"},
        ),
        "series": series,
    }


def told_verdict(trial: TrialView) -> str:
    """A trial in one sentence."""
    parents = " and ".join(f"#{parent}" for parent in trial.parents)
    gain = f", gain {short(trial.uplift)} ({short(trial.low)} to {short(trial.high)})" if trial.prompts else ""
    return f"#{trial.child}, {trial.kind} by {trial.operator} of {parents}, after {trial.prompts} prompts{gain}"


def _power(log_e: float) -> float:
    """Of ten, as it is drawn; an ungated child has no e-value."""
    return 0.0 if math.isnan(log_e) else min(max(log_e / math.log(10), _LOWEST), _HIGHEST)


def _path(trial: TrialView, theme: Theme, place: int | None, *, faded: bool) -> Option:
    colour = theme.category(place) if place is not None else theme.good if trial.verdict in PASSED else theme.soft
    told = told_verdict(trial).replace(", ", "\n") + f"\n{trial.verdict}: {trial.reason.replace('_', ' ')}"
    drawn = trial.path[-_MOST_POINTS:]
    last = len(drawn) - 1
    return {
        "id": f"trial {trial.child}",
        "type": "line",
        "data": [
            {
                "value": [generation, round(_power(log_e), 3)],
                "name": told,
                "id": trial.child,
                "symbolSize": 7 if here == last else 4,
            }
            for here, (generation, log_e) in enumerate(drawn)
        ],
        "symbol": "circle" if place is not None or trial.verdict in PASSED else "emptyCircle",
        "lineStyle": {"color": colour, "width": 1 if faded else 2, "opacity": 0.5 if faded else 1},
        "itemStyle": {"color": colour},
        "labelLayout": {"moveOverlap": "shiftY"},
        "endLabel": {"show": True, "formatter": f"#{trial.child}", "color": theme.soft if faded else colour},
        "z": 2 if faded else 3,
    }
