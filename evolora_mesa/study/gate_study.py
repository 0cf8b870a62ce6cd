"""How often each rule accepts what it should not, finds what it should, and what it spends: planted truths, counted."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from scipy.special import ndtri

from evolora_mesa.config_evolution import GateConfig
from evolora_mesa.errors import RunError
from evolora_mesa.streams import Streams
from evolora_mesa.study.baseline_table import markdown_table, save_texts
from evolora_mesa.study.gate_rules import GATE, RULES, Rule
from evolora_mesa.study.planted import Truth

__all__ = ["GateRow", "GateStudy", "judge", "wilson"]

_AT_ONCE: Final = 500  # candidates; bounds the memory
_WANTED_POWER: Final = 0.8


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Bounds of a share of at least one trial.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    z = float(ndtri((1 + confidence) / 2))
    share, shrink = successes / trials, 1 + z**2 / trials
    middle = (share + z**2 / (2 * trials)) / shrink
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / shrink
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class GateRow:
    """One rule on the children of one truth.

    Attributes:
        truth, kind, uplift: see `Truth`.
        rule: of `RULES`.
        candidates, accepted: numbers.
        prompts: spent per candidate, mean.
    """

    truth: str
    kind: str
    uplift: float
    rule: str
    candidates: int
    accepted: int
    prompts: float

    @property
    def rate(self) -> float:
        """Share accepted: false accepts for a null or harmful truth, power for a good one."""
        return self.accepted / self.candidates

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson bounds of `rate`."""
        return wilson(self.accepted, self.candidates)


@dataclass(frozen=True)
class GateStudy:
    """All rules on all truths.

    Attributes:
        host, seed: of the planted truths.
        alpha: level that the gate promises.
        pairs: most prompts per candidate.
        rows: truth by truth, within it rule by rule.
    """

    host: str
    seed: int
    alpha: float
    pairs: int
    rows: tuple[GateRow, ...]

    @property
    def truths(self) -> list[str]:
        """In order."""
        return list(dict.fromkeys(row.truth for row in self.rows))

    @property
    def rules(self) -> list[str]:
        """In order."""
        return list(dict.fromkeys(row.rule for row in self.rows))

    def row(self, truth: str, rule: str) -> GateRow:
        """The row of both."""
        return next(row for row in self.rows if (row.truth, row.rule) == (truth, rule))

    def broken(self) -> list[GateRow]:
        """Nulls that the gate accepts more often than it promises, beyond what chance explains."""
        return [row for row in self.rows if row.rule == GATE and row.kind == "null" and row.interval[0] > self.alpha]

    # ------------------------------------------------------------------ ways to write it down

    def table(self, cell: Callable[[GateRow], str]) -> tuple[list[str], list[list[str]]]:
        """Headings and lines: a truth per line, a rule per column, ``cell`` of each."""
        lines = []
        for truth in self.truths:
            cells = [cell(self.row(truth, rule)) for rule in self.rules]
            lines.append([truth, f"{100 * self.row(truth, self.rules[0]).uplift:+.0f}", *cells])
        return ["children", "uplift", *self.rules], lines

    def text(self) -> str:
        """Shares accepted, and prompts, as a table of plain text."""
        headings, lines = self.table(lambda row: f"{100 * row.rate:.1f} ({row.prompts:.0f})")
        widths = [max(map(len, column)) for column in zip(headings, *lines, strict=True)]
        return "\n".join(
            "  ".join(
                text.ljust(width) if place == 0 else text.rjust(width)
                for place, (text, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in [headings, *lines]
        )

    def conclusions(self) -> list[str]:
        """A sentence for every figure of the gate, with its interval."""
        lines = []
        for row in (row for row in self.rows if row.rule == GATE):
            low, high = row.interval
            figure = (
                f"{row.truth}: {100 * row.rate:.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {row.candidates} accepted,"
                f" {row.prompts:.0f} prompts"
            )
            if row.kind == "good":
                is_known = low >= _WANTED_POWER or high < _WANTED_POWER
                side = "about" if not is_known else "at least" if low >= _WANTED_POWER else "below"
                lines.append(f"{figure}: power {side} {100 * _WANTED_POWER:g} %.")
            elif low > self.alpha:
                lines.append(f"{figure}: more than the {100 * self.alpha:g} % that were promised.")
            else:
                within = "at most" if high <= self.alpha else "not shown above"
                lines.append(f"{figure}: {within} {100 * self.alpha:g} %.")
        return lines

    def markdown(self, command: str | None = None) -> str:
        """A page: what was done, both tables, the gate's figures."""
        made = [f"Made by `{command}`.", ""] if command else []
        about = (
            f"Children of known worth on `{self.host}` (seed {self.seed}), at most {self.pairs} paired prompts each;"
            f" level {100 * self.alpha:g} %. `{GATE}` is this project's gate, looked at after every prompt, with its"
            " futility rule. Uplift in points, over the better rival. For nulls and harmful children acceptance is an"
            " error, for the others power. `half vs half` sees 16 past scores of the child and no rival."
        )
        accepted = self.table(
            lambda row: f"{100 * row.rate:.1f} [{100 * row.interval[0]:.1f}, {100 * row.interval[1]:.1f}]"
        )
        prompts = self.table(lambda row: f"{row.prompts:.0f}")
        return "\n".join(
            [
                "# Rules of acceptance on planted truths",
                "",
                *made,
                about,
                "",
                "Accepted, % [95 % Wilson interval]:",
                "",
                *markdown_table(*accepted),
                "",
                "Prompts spent per child, mean:",
                "",
                *markdown_table(*prompts),
                "",
                *[f"- {line}" for line in self.conclusions()],
                "",
            ]
        )

    def to_json(self) -> str:
        """All rows with what follows from them."""
        document = asdict(self)
        for record, row in zip(document["rows"], self.rows, strict=True):
            record["rate"], (record["low"], record["high"]) = row.rate, row.interval
        document["broken"] = [row.truth for row in self.broken()]
        return json.dumps(document, indent=1, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """One line per truth and rule."""
        names = [field.name for field in fields(GateRow)]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*names, "rate", "low", "high"])
        for row in self.rows:
            writer.writerow([*(getattr(row, name) for name in names), row.rate, *row.interval])
        return out.getvalue()

    def save(self, folder: Path, *, command: str | None = None) -> list[Path]:
        """Write ``gates.json``, ``.md`` and ``.csv``, and ``.png`` where matplotlib is installed.

        Raises:
            RunError: the folder cannot be written.
        """
        texts = {"gates.json": self.to_json(), "gates.md": self.markdown(command), "gates.csv": self.to_csv()}
        return [*save_texts(folder, texts), *self._plot(folder / "gates.png")]

    def _plot(self, path: Path) -> list[Path]:
        """Acceptance with its interval, a panel per truth; nothing without matplotlib, which is not required."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return []
        figure = Figure(figsize=(12, 1 + 1.3 * math.ceil(len(self.truths) / 2)), layout="constrained")
        axes = figure.subplots(math.ceil(len(self.truths) / 2), 2, sharex=True, sharey=True, squeeze=False).ravel()
        for panel in axes[len(self.truths) :]:
            panel.remove()
        places = np.arange(len(self.rules))
        for panel, truth in zip(axes, self.truths, strict=False):
            rows = [self.row(truth, rule) for rule in self.rules]
            rates = np.array([row.rate for row in rows])
            low, high = np.array([row.interval for row in rows]).T
            good = rows[0].kind == "good"
            panel.barh(places, rates, color="#4a7fb0" if good else "#c0504d")
            panel.errorbar(
                rates, places, xerr=np.maximum([rates - low, high - rates], 0), fmt="none", ecolor="black", capsize=2
            )
            panel.axvline(_WANTED_POWER if good else self.alpha, color="black", linestyle=":", linewidth=1)
            panel.set_title(f"{truth} ({'power' if good else 'false accepts'})", fontsize=9)
            panel.set_yticks(places, self.rules, fontsize=7)
            panel.set_xlim(0, 1)
        axes[0].invert_yaxis()
        try:
            figure.savefig(path, dpi=120)
        except OSError as error:
            raise RunError(
                "cannot write results", where=path, got=error.strerror, do="Choose another --out."
            ) from error
        return [path]


def judge(
    truths: Sequence[Truth],
    *,
    candidates: int,
    seed: int = 0,
    host: str = "petri",
    settings: GateConfig | None = None,
    rules: Mapping[str, Rule] = RULES,
) -> GateStudy:
    """Hold every rule against ``candidates`` children of every truth, all rules against the same ones.

    Args:
        settings: of the gate; also the level of the other tests and the most prompts.
    """
    settings = GateConfig() if settings is None else settings
    rng = Streams(seed).numpy("gates.candidates")
    rows = []
    for truth in truths:
        accepted, prompts = dict.fromkeys(rules, 0), dict.fromkeys(rules, 0)
        for start in range(0, candidates, _AT_ONCE):
            child, rivals = truth.draw(min(_AT_ONCE, candidates - start), settings.most_pairs, rng)
            for name, rule in rules.items():
                outcome = rule(child, rivals, settings)
                accepted[name] += int(outcome.accepted.sum())
                prompts[name] += int(outcome.prompts.sum())
        rows += [
            GateRow(truth.name, truth.kind, truth.uplift, name, candidates, accepted[name], prompts[name] / candidates)
            for name in rules
        ]
    return GateStudy(host, seed, settings.alpha, settings.most_pairs, tuple(rows))
