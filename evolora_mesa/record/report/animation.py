"""The cells over the generations, as moving pictures: success and price by colour, organelles as dots."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np

from evolora_mesa.errors import RunError
from evolora_mesa.record.layout import STORE_FILE
from evolora_mesa.record.report.reading import Field, read_field
from evolora_mesa.record.store import RunStore

__all__ = ["draw"]

_COLOURS: Final = 128  # of a picture; 256 make files half as large again, and look the same
_LAST_STAYS: Final = 12  # pictures' time that the last one is shown for
_MOST_DOTS: Final = 9  # organelles of a cell that are drawn one by one; of more the number is written
_INK, _PAPER = "#1d2328", "#f6f5f1"
_LABEL: Final = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": _INK, "linewidth": 0.8}
_DOTS: Final = 30.0  # area of a dot, in square points


def draw(run: str | Path, *, frames: int = 120, rate: int = 8) -> bytes:
    """A GIF of the run, up to what is stored by now.

    Args:
        frames: most pictures; generations in between are left out.
        rate: pictures per second.

    Raises:
        RunError: there is no store, or nothing in it to draw.
    """
    from PIL import Image

    with RunStore.open(Path(run) / STORE_FILE) as store:
        field = read_field(store, frames)
    if not field.families or not len(field.generations):
        raise RunError("the run has no cells to draw", where=run, do="Try again when a generation has been lived.")
    pictures = []
    figure = _Picture(field)
    for place in range(len(field.generations)):
        image = Image.fromarray(figure.at(place)).convert("RGB")
        pictures.append(image.quantize(colors=_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE))
    length = round(1000 / rate)
    durations = [length] * (len(pictures) - 1) + [length * _LAST_STAYS]
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return file.getvalue()


class _Picture:
    """The drawing: axes and names are drawn once, and what changes with the generations upon a copy of them."""

    def __init__(self, field: Field) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.field = field
        rows, columns = len(field.families), field.depths
        size = (7.6, max(2.6, 1.1 + 0.36 * rows))
        self.figure = Figure(figsize=size, dpi=100, facecolor=_PAPER, layout="constrained")
        self.canvas = FigureCanvasAgg(self.figure)
        self.title = self.figure.suptitle(" ", color=_INK, fontsize=12, fontweight="bold", animated=True)
        left, right = self.figure.subplots(1, 2, sharey=True)
        dearest = float(np.nanmax(field.price, initial=0.0)) or 1.0
        self.maps = []
        for axes, colours, most, title, unit in (
            (left, "viridis", 1.0, "success, and who lives there", "share of answers paid in full"),
            (right, "cividis", dearest, "price of a success", "energy"),
        ):
            cells = axes.pcolormesh(
                np.zeros((rows, columns)), cmap=colours, vmin=0, vmax=most, edgecolors=_PAPER, linewidth=1.5
            )
            cells.set_animated(True)
            self.maps.append(cells)
            axes.set_title(title, color=_INK, fontsize=10)
            axes.set_xlabel("depth", color=_INK, fontsize=9)
            axes.set_xticks(np.arange(columns) + 0.5, [str(depth + 1) for depth in range(columns)])
            axes.set_yticks(np.arange(rows) + 0.5, field.families)
            axes.tick_params(colors=_INK, labelsize=8, length=0)
            axes.spines[:].set_visible(False)
            bar = self.figure.colorbar(cells, ax=axes, fraction=0.05, pad=0.02)
            bar.set_label(unit, color=_INK, fontsize=8)
            bar.ax.tick_params(colors=_INK, labelsize=8)
            bar.outline.set_visible(False)
        right.tick_params(labelleft=False)
        left.invert_yaxis()
        self.dots = left.scatter([], [], s=_DOTS, c="white", edgecolors=_INK, linewidths=0.8, zorder=3, animated=True)
        style = {"ha": "center", "va": "center", "fontsize": 8, "color": _INK, "bbox": _LABEL, "animated": True}
        self.crowds = {
            (row, depth): left.text(depth + 0.5, row + 0.5, "", **style)
            for row in range(rows)
            for depth in range(columns)
        }
        self.canvas.draw()
        self.ground = self.canvas.copy_from_bbox(self.figure.bbox)

    def at(self, place: int) -> np.ndarray:
        """``[height, width, 4]`` pixels of the picture of a generation."""
        field = self.field
        crowd = np.nan_to_num(field.occupancy[place]).astype(int)
        self.dots.set_offsets(_spread(crowd))
        self.title.set_text(
            f"{field.name}   generation {field.generations[place]} of {field.last}   {int(crowd.sum())} alive"
        )
        self.canvas.restore_region(self.ground)
        for cells, values in zip(self.maps, (field.success[place], field.price[place]), strict=True):
            cells.set_array(values)
            cells.axes.draw_artist(cells)
        self.dots.axes.draw_artist(self.dots)
        for row, depth in np.argwhere(crowd > _MOST_DOTS).tolist():
            text = self.crowds[row, depth]
            text.set_text(str(crowd[row, depth]))
            text.axes.draw_artist(text)
        self.figure.draw_artist(self.title)
        return np.array(self.canvas.buffer_rgba())


def _spread(crowd: np.ndarray) -> np.ndarray:
    """``[dots, 2]`` places of the organelles, those of a cell in rows of at most five."""
    places = []
    for row, depth in np.argwhere((crowd > 0) & (crowd <= _MOST_DOTS)).tolist():
        count = int(crowd[row, depth])
        lines = [count] if count <= 5 else [-(-count // 2), count // 2]
        for line, inside in enumerate(lines):
            down = row + 0.5 + (line - (len(lines) - 1) / 2) * 0.42
            places += [(depth + 0.5 + (dot - (inside - 1) / 2) * 0.17, down) for dot in range(inside)]
    return np.array(places, dtype=float).reshape(-1, 2)
