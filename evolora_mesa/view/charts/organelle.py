"""One organelle: skills with their intervals, and how much of its adapter is in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evolora_mesa.view.charts.frame import Option, axis, categories, frame, legend, short
from evolora_mesa.view.inspect import Skill, Spectrum
from evolora_mesa.view.theme import Theme

__all__ = ["skills_chart", "skills_height", "spectrum_chart"]

_MOST_SKILLS: Final = 10
_ROW, _AROUND = 24, 64  # pixels


def skills_height(skills: Sequence[Skill]) -> str:
    """Of the chart, as in CSS."""
    return f"{_AROUND + _ROW * min(len(skills), _MOST_SKILLS)}px"


def skills_chart(skills: Sequence[Skill], families: Sequence[str], theme: Theme) -> Option | None:
    """Success by cell, most work first, with 95 % intervals; `None` before the first episode."""
    shown = skills[:_MOST_SKILLS]
    if not shown:
        return None
    names = [f"{families[skill.family]} {skill.depth + 1}" for skill in shown]
    told = [
        f"{families[skill.family]}, depth {skill.depth + 1}\nsuccess {short(skill.success)}, "
        f"95 % {short(round(skill.low, 2))} to {short(round(skill.high, 2))}\n"
        f"{skill.episodes:.1f} recent episodes, pays for “{skill.style}”"
        for skill in shown
    ]
    return {
        **frame(theme),
        "grid": {"left": 12, "right": 20, "top": 12, "bottom": 30, "containLabel": True},
        "xAxis": axis(theme, "success", "share of answers, 95 % interval", across=True, min=0, max=1, interval=0.25)
        | {"splitLine": {"show": True, "lineStyle": {"color": theme.faint}}},
        "yAxis": categories(theme, "", names),
        "series": [
            *(_interval(place, skill, theme) for place, skill in enumerate(shown)),
            {
                "id": "success",
                "type": "scatter",
                "symbolSize": 9,
                "itemStyle": {"color": theme.accent},
                "data": [
                    {"value": [round(skill.success, 3), place], "name": text}
                    for place, (skill, text) in enumerate(zip(shown, told, strict=True))
                ],
                "z": 3,
            },
        ],
    }


def _interval(place: int, skill: Skill, theme: Theme) -> Option:
    return {
        "id": f"interval {place}",
        "type": "line",
        "silent": True,
        "symbol": "none",
        "lineStyle": {"color": theme.accent, "width": 3, "opacity": 0.35},
        "data": [[round(skill.low, 3), place], [round(skill.high, 3), place]],
    }


def spectrum_chart(spectra: Sequence[Spectrum], theme: Theme) -> Option | None:
    """Singular values of the weight change, a line for each site; `None` while the adapter changes nothing."""
    if not any(value > 0 for spectrum in spectra for value in spectrum.values):
        return None
    widest = max(len(spectrum.values) for spectrum in spectra)
    names = [spectrum.site.removeprefix("model.") for spectrum in spectra]
    return {
        **frame(theme, trigger="axis"),
        "grid": {"left": 12, "right": 20, "top": 52, "bottom": 30, "containLabel": True},
        "legend": legend(theme, names),
        "xAxis": categories(theme, "component", [str(place + 1) for place in range(widest)], across=True),
        "yAxis": axis(theme, "singular value of the weight change", "weight", min=0),
        "series": [
            {
                "id": spectrum.site,
                "name": name,
                "type": "line",
                "symbol": theme.symbol(place * len(theme.categories)),
                "symbolSize": 7,
                "lineStyle": {"color": theme.category(place), "width": 1.5},
                "itemStyle": {"color": theme.category(place)},
                "data": [float(f"{value:.4g}") for value in spectrum.values],
            }
            for place, (name, spectrum) in enumerate(zip(names, spectra, strict=True))
        ],
    }
