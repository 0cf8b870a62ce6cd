"""The table of a baseline comparison: measured rows, what follows from them, four ways to write it down."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evolora_mesa.errors import RunError
from evolora_mesa.study.statistics import Interval, paired_difference, t_interval

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["MEASURES", "ArmRow", "BaselineTable", "shown", "verdict"]

NOT_AVAILABLE: Final = "n/a"
_SUBJECT: Final = "ecology"  # what the other arms are held against

# Measure of a row -> (heading, factor for display, decimals).
MEASURES: Final[dict[str, tuple[str, float, int]]] = {
    "routed": ("routed accuracy %", 100, 1),
    "best_single": ("best single %", 100, 1),
    "mean_roi": ("mean ROI", 1, 2),
    "episodes": ("episodes", 1, 0),
    "training_tokens": ("tokens, training", 1, 0),
    "selection_tokens": ("tokens, selection", 1, 0),
    "training_seconds": ("CPU-s, training", 1, 1),
    "selection_seconds": ("CPU-s, selection", 1, 1),
}


@dataclass(frozen=True)
class ArmRow:
    """What one arm did under one seed. `None` is "there is no such figure", never 0.

    Attributes:
        arm: see `evolora_mesa.study.baselines.ARMS`.
        routed: share of the test panel answered right and in the paid style, each family by its route.
        best_single: the same when one candidate gets everything.
        mean_roi: energy earned / spent, mean over organelles and generations.
        episodes: labelled or rewarded answers that were trained on.
        training_tokens, selection_tokens: read and written by the host.
        training_seconds, selection_seconds: CPU seconds.
        candidates: to choose from, the bare host included.
        by_family: ``routed`` family by family.
    """

    arm: str
    seed: int
    routed: float
    best_single: float
    mean_roi: float | None
    episodes: int
    training_tokens: int
    selection_tokens: int
    training_seconds: float
    selection_seconds: float
    candidates: int
    by_family: dict[str, float]


@dataclass(frozen=True)
class BaselineTable:
    """Rows of all arms and seeds, with the settings that made them.

    Attributes:
        config, host: names.
        episodes: asked for, per arm and seed.
        select_tasks, test_tasks: sizes of the panels.
        arms, seeds: in order.
        rows: one per arm and seed.
    """

    config: str
    host: str
    episodes: int
    select_tasks: int
    test_tasks: int
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    rows: tuple[ArmRow, ...]

    # ------------------------------------------------------------------ what follows

    def values(self, arm: str, measure: str) -> list[float]:
        """The figures of an arm, in the order of the seeds, without those that do not exist."""
        found = {row.seed: getattr(row, measure) for row in self.rows if row.arm == arm}
        return [float(found[seed]) for seed in self.seeds if found.get(seed) is not None]

    def summary(self, arm: str, measure: str) -> Interval | None:
        """Mean over seeds with its 95 % t interval; `None` where the arm has no such figure."""
        values = self.values(arm, measure)
        return t_interval(values) if values else None

    def differences(self, measure: str = "routed") -> dict[str, Interval]:
        """Routed accuracy of the ecology minus ``measure`` of every other arm, paired by seed."""
        if _SUBJECT not in self.arms:
            return {}
        own = self.values(_SUBJECT, "routed")
        others = [arm for arm in self.arms if arm != _SUBJECT]
        return {arm: paired_difference(own, self.values(arm, measure)) for arm in others}

    def conclusions(self) -> list[str]:
        """One plain sentence per comparison; it claims a difference only where the interval excludes zero."""
        lines = []
        alone = self.differences("best_single")
        for arm, interval in self.differences().items():
            lines.append(f"ecology − {arm}: {difference(interval)}: {verdict(interval)}.")
            single = alone[arm]
            if single != interval:
                lines.append(f"ecology − best single of {arm}: {difference(single)}: {verdict(single)}.")
        return lines

    # ------------------------------------------------------------------ ways to write it down

    def text_rows(self) -> list[list[str]]:
        """Cells of the table, a row per arm."""
        rows = []
        for arm in self.arms:
            cells = []
            for measure, (_, factor, decimals) in MEASURES.items():
                with_bounds = measure in ("routed", "best_single", "mean_roi")
                cells.append(shown(self.summary(arm, measure), factor, decimals, with_bounds=with_bounds))
            rows.append([arm, str(len(self.values(arm, "routed"))), *cells])
        return rows

    def headings(self) -> list[str]:
        """Of the columns of `text_rows`."""
        return ["arm", "n", *(heading for heading, _, _ in MEASURES.values())]

    def rich(self) -> Table:
        """For a terminal."""
        from rich.table import Table

        table = Table(title=f"{self.config} on {self.host}: mean [95 % t interval] over seeds")
        for place, heading in enumerate(self.headings()):
            table.add_column(heading, justify="left" if place == 0 else "right", overflow="fold")
        for row in self.text_rows():
            table.add_row(*row)
        return table

    def markdown(self, command: str | None = None) -> str:
        """A document: settings, the table, the paired differences, accuracy by family."""
        families = list(self.rows[0].by_family)
        by_family = [
            [family]
            + [
                f"{100 * sum(row.by_family[family] for row in rows) / len(rows):.1f}"
                for rows in ([row for row in self.rows if row.arm == arm] for arm in self.arms)
            ]
            for family in families
        ]
        made = [f"Made by `{command}`.", ""] if command else []
        settings = (
            f"Seeds {', '.join(map(str, self.seeds))}; {self.episodes} episodes per arm and seed. Routes are"
            f" chosen on `select` ({self.select_tasks} tasks), accuracy is read on `test` ({self.test_tasks}"
            " tasks); both are fresh for every seed and the same for all its arms. Right means right and in"
            " the style that the cell pays for. The bare host is a candidate of every arm; *best single* is"
            " the one candidate that was best on `select`, used for everything. Mean [95 % t interval over"
            " seeds]; n/a is a figure that does not exist."
        )
        return "\n".join(
            [
                f"# Baselines: `{self.config}` on `{self.host}`",
                "",
                *made,
                settings,
                "",
                *markdown_table(self.headings(), self.text_rows()),
                "",
                "Routed accuracy, difference paired by seed (intervals are not adjusted for their number):",
                "",
                *[f"- {line}" for line in self.conclusions()],
                "",
                "Routed accuracy by family, %, mean over seeds:",
                "",
                *markdown_table(["family", *self.arms], by_family),
                "",
            ]
        )

    def to_json(self) -> str:
        """All rows with their settings, and what follows from them for readers without this package."""
        document = asdict(self)
        document["summary"] = {
            arm: {measure: as_json(self.summary(arm, measure)) for measure in MEASURES} for arm in self.arms
        }
        for name, measure in (("ecology_minus", "routed"), ("ecology_minus_best_single", "best_single")):
            document[name] = {arm: as_json(value) for arm, value in self.differences(measure).items()}
        return json.dumps(document, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> BaselineTable:
        """The inverse of `to_json`."""
        document = json.loads(text)
        settings = {field.name: document[field.name] for field in fields(cls) if field.name != "rows"}
        for name in ("arms", "seeds"):
            settings[name] = tuple(settings[name])
        return cls(**settings, rows=tuple(ArmRow(**row) for row in document["rows"]))

    def to_csv(self) -> str:
        """One line per arm and seed; an empty field is a figure that does not exist."""
        names = [field.name for field in fields(ArmRow) if field.name != "by_family"]
        families = list(self.rows[0].by_family) if self.rows else []
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*names, *families])
        for row in self.rows:
            figures = ["" if getattr(row, name) is None else getattr(row, name) for name in names]
            writer.writerow([*figures, *(row.by_family[family] for family in families)])
        return out.getvalue()

    def save(self, folder: Path, *, command: str | None = None) -> list[Path]:
        """Write ``baselines.json``, ``.md`` and ``.csv`` into ``folder``.

        Raises:
            RunError: the folder cannot be written.
        """
        return save_texts(
            folder,
            {
                "baselines.json": self.to_json(),
                "baselines.md": self.markdown(command),
                "baselines.csv": self.to_csv(),
            },
        )


def shown(interval: Interval | None, factor: float, decimals: int, *, with_bounds: bool = True) -> str:
    """An interval as text; ``n/a`` for one that does not exist, no bounds where one value has none."""
    if interval is None:
        return NOT_AVAILABLE
    mean, low, high = (
        f"{round(factor * value, decimals) + 0.0:.{decimals}f}"  # + 0.0 takes the sign from -0.0
        for value in interval[:3]
    )
    return f"{mean} [{low}, {high}]" if with_bounds and interval.n > 1 else mean


def difference(interval: Interval) -> str:
    """A difference of shares in points, with its sign, its bounds and n."""
    bounds = f" [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]" if interval.n > 1 else ""
    return f"{100 * interval.mean:+.1f} points{bounds}, n = {interval.n}"


def verdict(interval: Interval) -> str:
    """What an interval of ecology minus another arm allows to say."""
    if interval.n < 2:
        return "one seed has no interval, so nothing is claimed"
    if interval.above_zero:
        return "the ecology is better"
    if interval.below_zero:
        return "the ecology is worse"
    return "no difference shown"


def as_json(interval: Interval | None) -> dict[str, Any] | None:
    """``{mean, low, high, n}`` with null for bounds that do not exist."""
    if interval is None:
        return None
    return {name: None if value != value else value for name, value in interval._asdict().items()}


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table; all columns but the first to the right."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def save_texts(folder: Path, texts: dict[str, str]) -> list[Path]:
    """Write files into a folder, which is made when it is missing.

    Raises:
        RunError: the folder or a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(
            "cannot write results",
            where=folder,
            got=error.strerror or str(error),
            do="Choose another folder.",
        ) from error
    return [folder / name for name in texts]
