"""The family tree as a chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from evolora_mesa.evolution.lineage import Record
from evolora_mesa.view.charts.frame import Option, axis, frame, legend
from evolora_mesa.view.lineage import Moment, Tree, kind_of
from evolora_mesa.view.theme import Theme

__all__ = ["KINDS", "family_tree", "height_of", "told"]

KINDS: Final = {"founder": "rect", "mutation": "circle", "merge": "diamond", "revival": "triangle"}  # marks of births
_NAMES: Final = {"founder": "founder", "mutation": "mutation", "merge": "merge", "revival": "from the archive"}
_FADED: Final = 0.28  # opacity of branches that left nobody
_MOST_LABELS: Final = 40  # founders that are named in the drawing
_CROWD: Final = 500  # births, from which on lives are short: marks become small, and are what is pointed at
_LANE, _FRAME = 13, 118  # pixels
_LOWEST, _HIGHEST = 300, 900


def height_of(tree: Tree) -> str:
    """The height in CSS at which the lanes of a tree can be told apart, up to what fits a screen."""
    return f"{min(max(_FRAME + _LANE * tree.height, _LOWEST), _HIGHEST)}px"


def told(record: Record) -> str:
    """One life in three lines."""
    made = {
        "founder": "founder",
        "revival": f"copy of {_parents(record)} from the archive",
        "merge": f"merge of {_parents(record)} by {record.operator}",
        "mutation": f"child of {_parents(record)} by {record.operator}",
    }[kind_of(record)]
    after = {"accepted": "accepted", "confined": "accepted, confined to its parents' cells"}.get(record.status)
    passed = f"{after} in generation {record.acceptance}, " if after else ""
    waiting = "" if record.status != "trial" else "on trial, " if record.alive else "never accepted, "
    end = "alive" if record.alive else f"died in generation {record.destruction} ({record.cause.replace('_', ' ')})"
    return (
        f"organelle #{record.id}, lineage {record.lineage}\n{made}, born in generation {record.origin}\n"
        f"{passed}{waiting}{end}"
    )


def _parents(record: Record) -> str:
    return " and ".join(f"#{parent}" for parent in dict.fromkeys(record.parents))


def family_tree(tree: Tree, now: Moment, theme: Theme, *, last: int, chosen: int | None = None) -> Option | None:
    """The lives of a tree as they were known at a moment; `None` when nobody had been born.

    Args:
        last: generation at which the time axis ends, so that it stays while the moment moves.
        chosen: id of the organelle that stands out, with its ancestors.
    """
    records = [now.records[record.id] for record in tree.records if record.id in now.records]
    if not records:
        return None
    drawing = _Drawing(tree.lanes, now, theme, chosen, _ancestors(now.records, chosen))
    named = sum(not record.parents for record in records) <= _MOST_LABELS
    return {
        **frame(theme),
        "grid": {"left": 78 if named else 16, "right": 20, "top": 44, "bottom": 66},
        "legend": legend(theme, list(_NAMES.values()), selectedMode=False, icon=None, itemStyle={"color": theme.soft}),
        "xAxis": axis(
            theme,
            "generation",
            across=True,
            scale=False,
            min=0,
            max=max(last, 1),
            minInterval=1,
            axisLine={"onZero": False, "lineStyle": {"color": theme.rule}},
        ),
        "yAxis": axis(
            theme,
            "lives, one lane each",
            inverse=True,
            nameLocation="start",
            min=-1,
            max=max(tree.height, 1),
            axisLabel={"show": False},
            splitLine={"show": False},
        ),
        "dataZoom": _zoom(theme),
        "series": [
            _lines("births", [*drawing.births(records)], z=2, silent=True),
            _lines("second parents", [*drawing.second_parents(records)], z=3, silent=True),
            _lines("lives", [*drawing.lives(records)], z=4, silent=drawing.crowded) | {"markLine": drawing.today()},
            *(
                {
                    "id": kind,
                    "name": _NAMES[kind],
                    "type": "scatter",
                    "symbol": symbol,
                    "z": 5,
                    "data": [*drawing.marks([r for r in records if kind_of(r) == kind], named=named)],
                }
                for kind, symbol in KINDS.items()
            ),
        ],
    }


def _zoom(theme: Theme) -> Option:
    """A slider under the time axis."""
    return {
        "type": "slider",
        "xAxisIndex": 0,
        "filterMode": "none",
        "height": 12,
        "bottom": 8,
        "borderColor": theme.rule,
        "backgroundColor": theme.faint,
        "fillerColor": f"{theme.accent}33",
        "handleStyle": {"color": theme.card, "borderColor": theme.accent},
        "moveHandleSize": 0,
        "showDataShadow": False,
        "brushSelect": False,
        "textStyle": {"color": theme.soft, "fontSize": 11},
        "labelFormatter": "{value}",
        "labelPrecision": 0,
    }


def _lines(name: str, data: list[Option], *, z: int, silent: bool = False) -> Option:
    """A series of lines."""
    return {
        "id": name,
        "name": name,
        "type": "lines",
        "coordinateSystem": "cartesian2d",
        "symbol": "none",
        "z": z,
        "silent": silent,
        "data": data,
    }


def _ancestors(records: Mapping[int, Record], id: int | None) -> set[int]:
    """Of an organelle, itself included."""
    found: set[int] = set()
    waiting = [id] if id is not None else []
    while waiting:
        here = waiting.pop()
        if here in records and here not in found:
            found.add(here)
            waiting += records[here].parents
    return found


class _Drawing:
    """The items of all series."""

    def __init__(
        self,
        lanes: Mapping[int, int],
        now: Moment,
        theme: Theme,
        chosen: int | None,
        line: set[int],
    ) -> None:
        self._lanes, self._now, self._theme, self._chosen, self._line = lanes, now, theme, chosen, line
        self.crowded = len(now.records) > _CROWD

    def lives(self, records: list[Record]) -> Iterator[Option]:
        """From birth to death, or to the moment."""
        for record in records:
            lane = self._lanes[record.id]
            width = 6 if record.id == self._chosen else 3.5 if record.id in self._line else 2
            style = {"width": width} if record.status != "trial" else {"width": width, "type": "dotted"}
            facts = {} if self.crowded else {"id": record.id, "name": told(record)}  # then its mark alone has them
            yield {
                **facts,
                "coords": [[record.origin, lane], [self._end(record), lane]],
                "lineStyle": self._style(record, **style),
            }

    def births(self, records: list[Record]) -> Iterator[Option]:
        """What joins a child to its first parent; slanted from the end of a parent that did not live any more."""
        for record in records:
            if record.parents and record.parents[0] in self._lanes:
                width = 2.5 if record.id in self._line else 1
                yield self._from(record, record.parents[0], width=width)

    def second_parents(self, records: list[Record]) -> Iterator[Option]:
        """What joins a merge to its other parents."""
        for record in records:
            for parent in dict.fromkeys(record.parents[1:]):
                if parent in self._lanes and parent != record.parents[0]:
                    yield self._from(record, parent, width=1.5, type="dashed", curveness=0.2)

    def _from(self, record: Record, parent: int, **style: object) -> Option:
        begin = min(record.origin, self._end(self._now.records[parent]))
        return {
            "coords": [[begin, self._lanes[parent]], [record.origin, self._lanes[record.id]]],
            "lineStyle": self._style(record, **style),
        }

    def marks(self, records: list[Record], *, named: bool) -> Iterator[Option]:
        """Where lives begin; hollow for those that have not passed."""
        for record in records:
            colour, stands_out = self._colour(record), record.id == self._chosen
            hollow = record.status == "trial"
            item: Option = {
                "id": record.id,
                "name": told(record),
                "value": [record.origin, self._lanes[record.id]],
                "symbolSize": 15 if stands_out else self._size(record),
                "itemStyle": {
                    "color": self._theme.card if hollow else colour,
                    "borderColor": self._theme.ink if stands_out else colour,
                    "borderWidth": 2 if stands_out else 1.5,
                    "opacity": self._opacity(record),
                },
            }
            if named and not record.parents:
                item["label"] = {
                    "show": True,
                    "position": "left",
                    "formatter": f"lineage {record.lineage}",
                    "color": colour,
                    "fontSize": 10,
                }
            yield item

    def today(self) -> Option:
        """The moment, as a line across all lanes."""
        return {
            "silent": True,
            "symbol": "none",
            "animation": False,
            "lineStyle": {"color": self._theme.soft, "type": "solid", "width": 1, "opacity": 0.6},
            "label": {"show": False},
            "data": [{"xAxis": self._now.generation}],
        }

    def _end(self, record: Record) -> int:
        return self._now.generation if record.destruction is None else record.destruction

    def _size(self, record: Record) -> int:
        """Pixels of a mark: smaller in a crowd, and larger for a shape that has corners to tell."""
        size = 4 if self.crowded else 7
        return size + 3 if kind_of(record) in ("merge", "revival") else size

    def _colour(self, record: Record) -> str:
        return self._theme.category(record.lineage - 1)  # lineages count from 1

    def _opacity(self, record: Record) -> float:
        return 1.0 if record.id in self._now.lasting or record.id in self._line else _FADED

    def _style(self, record: Record, **style: object) -> Option:
        return {"color": self._colour(record), "opacity": self._opacity(record), **style}
