"""What all charts have in common: axes with names and units, the tooltip, and numbers that JSON can hold."""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias

import numpy as np

from evolora_mesa.view.theme import Theme

__all__ = ["Option", "axis", "categories", "frame", "legend", "nice_ceiling", "numbers", "points", "short"]

Option: TypeAlias = dict[str, Any]

_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
_DIGITS: Final = 4  # significant ones: more than a pixel shows, and a third of the bytes


def frame(theme: Theme, *, trigger: str = "item") -> Option:
    """The beginning of every option.

    Args:
        trigger: of the tooltip: ``item``, which shows an item's name, or ``axis``, which shows all values at a place.
    """
    tooltip: Option = {
        "trigger": trigger,
        "confine": True,
        "transitionDuration": 0,
        "backgroundColor": theme.card,
        "borderColor": theme.rule,
        "textStyle": {"color": theme.ink, "fontSize": 12, "fontFamily": _FONT},
        "extraCssText": "white-space: pre-line; max-width: 320px;",
    }
    if trigger == "item":
        tooltip["formatter"] = "{b}"  # escaped by ECharts: an item's name may hold any text
    else:
        tooltip["axisPointer"] = {"type": "line", "lineStyle": {"color": theme.rule}, "animation": False}
    return {
        "animation": False,
        "backgroundColor": "transparent",
        "textStyle": {"color": theme.ink, "fontFamily": _FONT},
        "tooltip": tooltip,
        "grid": {"left": 12, "right": 20, "top": 40, "bottom": 30, "containLabel": True},
    }


def axis(theme: Theme, name: str, unit: str = "", *, across: bool = False, **more: Any) -> Option:
    """An axis of numbers.

    Args:
        across: from left to right; its name stands below it, that of an upright one above it.
        **more: over the defaults.
    """
    line = {"show": across, "lineStyle": {"color": theme.rule}}
    return {
        "type": "value",
        "scale": True,
        "axisLine": line,
        "axisTick": {"show": False},
        "axisLabel": {"color": theme.soft, "fontSize": 11, "hideOverlap": True},
        "splitLine": {"show": not across, "lineStyle": {"color": theme.faint}},
        "splitNumber": 4,
        **_name(theme, f"{name} ({unit})" if unit else name, across),
        **more,
    }


def categories(theme: Theme, name: str, values: list[str], *, across: bool = False, **more: Any) -> Option:
    """An axis of names; an upright one begins at the top."""
    where = {} if across else {"nameLocation": "start"}
    return {
        "type": "category",
        "data": values,
        "inverse": not across,
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        "splitLine": {"show": False},
        "axisLabel": {"color": theme.soft, "fontSize": 11, "interval": 0},
        **_name(theme, name, across),
        **where,
        **more,
    }


def _name(theme: Theme, name: str, across: bool) -> Option:
    style = {"color": theme.soft, "fontSize": 11}
    if across:
        return {"name": name, "nameLocation": "middle", "nameGap": 26, "nameTextStyle": style}
    return {
        "name": name,
        "nameLocation": "end",
        "nameGap": 10,
        "nameTextStyle": {**style, "align": "left", "padding": [0, 0, 0, -24]},
    }


def legend(theme: Theme, names: list[str] | list[Option], **more: Any) -> Option:
    """A key on one line, which scrolls where there is no room for all."""
    return {
        "type": "scroll",
        "data": names,
        "top": 0,
        "right": 8,
        "itemWidth": 16,
        "itemHeight": 9,
        "itemGap": 12,
        "textStyle": {"color": theme.soft, "fontSize": 11},
        "inactiveColor": theme.rule,
        "pageIconColor": theme.soft,
        "pageIconInactiveColor": theme.faint,
        "pageTextStyle": {"color": theme.soft, "fontSize": 10},
        "pageIconSize": 10,
        **more,
    }


def numbers(values: np.ndarray) -> list[float | None]:
    """``[n]`` as JSON can hold them: a few significant digits, and `None` for what is not finite."""
    return [float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None for value in values.tolist()]


def points(x: np.ndarray, y: np.ndarray) -> list[list[float | None]]:
    """``[n]`` and ``[n]`` as pairs; a line is broken where there is no value."""
    return [list(pair) for pair in zip(numbers(x), numbers(y), strict=True)]


def short(value: float) -> str:
    """A number as it is told: three significant digits, and a dash for none."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:.0f}" if abs(value) >= 1000 or value == round(value) else f"{value:.3g}"
    return text.replace("-", "−")


def nice_ceiling(value: float, least: float) -> float:
    """The next of 1, 2 and 5 times a power of ten, so that a scale does not change with every generation."""
    value = max(value, least)
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9))
