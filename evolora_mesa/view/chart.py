"""A chart of ECharts as a Solara component.

Solara's own ``FigureEcharts`` is of the same make, but draws before its script has come when a world plays already,
keeps a canvas for every chart that was ever shown, and has each number watched by Vue.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import ipyvuetify
import reacton.core
import traitlets

__all__ = ["Chart", "Click"]

Click = dict[str, Any]  # ``series`` (its id), ``place`` in it, ``name`` and ``id`` of the item; or `None`

_CLICK: Final = ("series", "place", "name", "id")
_VERSION: Final = "5.4.0"  # the one that solara-assets has


class ChartWidget(ipyvuetify.VuetifyTemplate):
    """The browser's side is in ``chart.vue``."""

    template_file = (__file__, "chart.vue")

    option = traitlets.Unicode("{}").tag(sync=True)  # JSON: Vue would watch every number of an object
    height = traitlets.Unicode("320px").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    clickable = traitlets.Bool(False).tag(sync=True)
    script = traitlets.Unicode(f"echarts@{_VERSION}/dist/echarts.js").tag(sync=True)
    cdn = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    on_click = traitlets.Callable(None, allow_none=True)

    @traitlets.default("cdn")
    def _cdn(self) -> str | None:
        import solara.settings

        return None if solara.settings.assets.proxy else solara.settings.assets.cdn

    def vue_clicked(self, click: Click) -> None:
        if self.on_click is not None:
            self.on_click(dict.fromkeys(_CLICK) | click)  # JSON has no keys for what is undefined


def Chart(
    option: dict[str, Any],
    on_click: Callable[[Click], None] | None = None,
    height: str = "320px",
    label: str = "chart",
) -> reacton.core.Element:
    """Draw an option of ECharts.

    A function and no component of its own: the option becomes text before Solara sees it, which would look at each of
    its numbers several times. The chart fills the width that it is given, and is drawn again when the window or the
    option changes; series with the same ``id`` are kept, so a tooltip stays where it is. The element's ``data-drawn``
    counts the options drawn.

    Args:
        option: plain JSON values, without nan.
        on_click: called with what was clicked.
        height: as in CSS.
        label: what it shows, for those who do not see it.

    Raises:
        ValueError: a number that is not finite.
    """
    return ChartWidget.element(
        option=json.dumps(option, allow_nan=False, separators=(",", ":")),
        on_click=on_click,
        clickable=on_click is not None,
        height=height,
        label=label,
    )
