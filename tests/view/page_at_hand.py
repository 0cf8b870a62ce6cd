"""A page that is drawn without a browser, with hands to press its buttons and eyes to read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import ipyvuetify as vw
import solara
from staged import still, wait_for

from evolora_mesa.view.chart import ChartWidget
from evolora_mesa.view.table import TableWidget

__all__ = ["PageAtHand"]


class PageAtHand:
    """An element that is drawn until `close`."""

    def __init__(self, element: solara.Element) -> None:
        _, self.tree = solara.render(element, handle_error=False)

    def click(self, label: str) -> None:
        """Press a button as soon as it may be pressed."""
        wait_for(lambda: any(not button.disabled for button in self._buttons(label)), f"button {label}")
        with still(self.tree):
            self._buttons(label)[0].click()

    def put(self, kind: type, label: str, value: Any) -> None:
        """Type into a field, choose from a list, turn a switch or move a slider."""
        widget = self.labelled(kind, label)
        with still(self.tree):
            widget.v_model = value

    def _buttons(self, label: str) -> list[Any]:
        return [button for button in self.tree.find(vw.Btn).widgets if label in button.children]

    def labelled(self, kind: type, label: str) -> Any:
        """The widget of this kind whose label begins so, as soon as it is there."""

        def found() -> list[Any]:
            return [widget for widget in self.tree.find(kind).widgets if (widget.label or "").startswith(label)]

        wait_for(found, f"{kind.__name__} {label}")
        return found()[0]

    def text(self) -> str:
        """All that is to be read, in order."""
        return " ".join(" ".join(_texts(self.tree.container)).split())

    def reads(self, text: str) -> None:
        """Wait until that is to be read."""
        wait_for(lambda: text in self.text(), f"{text!r} in {self.text()!r}")

    def chart(self) -> tuple[ChartWidget, dict[str, Any]]:
        """The one chart, and what it draws."""
        [widget] = self.tree.find(ChartWidget).widgets
        return widget, json.loads(widget.option)

    def table(self, label: str) -> tuple[TableWidget, list[dict[str, Any]]]:
        """A table as soon as it has rows, and these."""

        def filled() -> list[TableWidget]:
            found = [widget for widget in self.tree.find(TableWidget).widgets if widget.label == label]
            return [widget for widget in found if json.loads(widget.content).get("rows")]

        wait_for(filled, f"the table {label}")
        widget = filled()[0]
        return widget, json.loads(widget.content)["rows"]

    def close(self) -> None:
        self.tree.close()


def _texts(widget: Any) -> Iterator[str]:
    for child in getattr(widget, "children", ()):
        if isinstance(child, str):
            yield child
        else:
            yield from _texts(child)
