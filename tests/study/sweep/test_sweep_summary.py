"""A summary holds what can be said of each cell: means over seeds, and differences of the same seeds."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest
from made_sweep import done, failed, rows_of, spec_of
from scipy import stats

from evolora_mesa.study.sweep.summary import (
    CellRow,
    baseline_cell,
    best_cell,
    by_cell,
    main_metric,
    summarize,
    summary_csv,
    told_cell,
    write_summary,
)

NOISE = {11: 0.0, 22: 0.3, 33: 0.9}


def measured(levels: dict, seed: int) -> float:
    """What the seeds do is large; what the ticket does is small, and nearly the same in every seed."""
    return NOISE[seed] + 0.1 * levels["ticket"] + 0.001 * (seed == 22) * levels["ticket"]


def ticket_spec(**settings: object):
    return spec_of({"ticket": [0, 1, 2]}, seeds=3, **settings)


def test_means_and_intervals_are_those_of_student() -> None:
    spec = ticket_spec()
    row = summarize(spec, rows_of(spec, measured))[1]
    values = [measured({"ticket": 1}, seed) for seed in NOISE]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (row.interval.mean, row.sd) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert (row.interval.low, row.interval.high, row.interval.n) == pytest.approx((low, high, 3))


def test_pairing_by_seed_finds_what_the_spread_of_seeds_hides() -> None:
    spec = ticket_spec()
    rows = summarize(spec, rows_of(spec, measured))
    assert rows[0].difference is None and math.isnan(rows[0].p)
    assert rows[0].interval.high > rows[2].interval.low  # apart by far less than their spread
    gap = rows[2].difference
    assert gap is not None and gap.above_zero and gap.n == 3 and gap.mean == pytest.approx(0.2 + 0.002 / 3)
    first, second = ([measured({"ticket": ticket}, seed) for seed in NOISE] for ticket in (2, 0))
    assert rows[2].p == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=1e-6)
    assert rows[2].p_holm == pytest.approx(max(rows[1].p, 2 * min(rows[1].p, rows[2].p)))


def test_a_failed_run_leaves_its_pair_out() -> None:
    spec = ticket_spec()

    def some_fail(levels: dict, seed: int):
        return failed() if (levels["ticket"], seed) in ((0, 11), (2, 33)) else measured(levels, seed)

    base, one, two = summarize(spec, rows_of(spec, some_fail))
    assert [row.interval.n for row in (base, one, two)] == [2, 3, 2] and {base.runs, one.runs, two.runs} == {3}
    assert one.difference is not None and one.difference.n == 2  # seeds 22 and 33
    assert two.difference is not None and two.difference.n == 1 and math.isnan(two.p_holm)
    assert two.difference.mean == pytest.approx(0.202)
    assert one.p_holm == one.p  # the only comparison that could be made


def test_what_has_not_ended_is_no_run() -> None:
    spec = ticket_spec()
    rows = summarize(spec, rows_of(spec, lambda levels, seed: math.nan if seed == 33 else 1.0))
    assert [(row.runs, row.interval.n) for row in rows] == [(2, 2)] * 3


def test_the_baseline_is_the_cell_asked_for_or_the_first() -> None:
    for baseline, number in ((None, 0), ({"ticket": 2}, 2), ({"ticket": 7}, None)):
        spec = ticket_spec(baseline=baseline)
        found = baseline_cell(spec, by_cell(rows_of(spec, measured)))
        assert (found.number if found is not None else None) == number
        differences = [row.difference for row in summarize(spec, rows_of(spec, measured))]
        assert [cell for cell, gap in enumerate(differences) if gap is None] == (
            [0, 1, 2] if number is None else [number]
        )


def test_a_baseline_may_name_some_factors() -> None:
    spec = spec_of(baseline={"world": "shifting"})
    assert baseline_cell(spec, by_cell(rows_of(spec, lambda *_: 1.0))).number == 1


def test_holm_is_over_the_cells_of_each_metric_alone() -> None:
    spec = ticket_spec(metrics={"a": {"figure": "a"}, "b": {"figure": "b"}})
    both = summarize(
        spec,
        rows_of(
            spec,
            lambda levels, seed: {
                "a": measured(levels, seed),
                "b": measured(levels, seed) if levels["ticket"] else 0.5,
            },
        ),
    )
    alone = summarize(spec, rows_of(spec, measured), ["a"])
    assert [row.p_holm for row in both if row.metric == "a"][1:] == [row.p_holm for row in alone][1:]


# ---------------------------------------------------------------- the best cell


@pytest.mark.parametrize(("better", "cell"), [("higher", 2), ("lower", 0)])
def test_the_best_cell_follows_what_better_means(better: str, cell: int) -> None:
    spec = ticket_spec(metrics={"accuracy": {"figure": "a", "better": better}})
    best = best_cell(spec, summarize(spec, rows_of(spec, measured)))
    assert best is not None and best.cell == cell


def test_a_lucky_seed_does_not_lead() -> None:
    spec = ticket_spec()
    rows = rows_of(spec, lambda levels, seed: math.nan if levels["ticket"] == 2 and seed > 11 else levels["ticket"])
    assert [best_cell(spec, summarize(spec, rows[first:])).cell for first in (0, 6)] == [1, 2]


def test_a_sweep_without_values_has_no_best_cell() -> None:
    spec = ticket_spec()
    assert best_cell(spec, summarize(spec, rows_of(spec, lambda *_: failed()))) is None
    assert best_cell(spec, []) is None


def test_the_main_metric_is_what_decides_then_what_is_improved_then_the_first() -> None:
    metrics = {name: {"figure": name} for name in "abc"}
    decision = {"question": "?", "metric": "c", "smallest": 1.0}
    assert main_metric(spec_of(metrics=metrics)) == "a"
    assert main_metric(spec_of(metrics=metrics, design={"objective": "b"})) == "b"
    assert main_metric(spec_of(metrics=metrics, design={"objective": "b"}, decision=decision)) == "c"


# ---------------------------------------------------------------- the file


def test_the_file_has_a_row_a_cell_and_metric(tmp_path: Path) -> None:
    spec = spec_of({"p": [0.5], "on": [True, False]}, {"a": {"figure": "a"}, "b": {"figure": "b"}})
    rows = rows_of(spec, lambda levels, seed: {"a": seed / 8, "b": None})
    write_summary(tmp_path, spec, rows)
    text = (tmp_path / "summary.csv").read_text(encoding="utf-8")
    assert text == summary_csv(spec, summarize(spec, rows[::-1]))
    found = list(csv.DictReader(io.StringIO(text)))
    assert [(row["cell"], row["metric"]) for row in found] == [("0", "a"), ("0", "b"), ("1", "a"), ("1", "b")]
    assert found[2] == {
        **{"cell": "1", "factor:p": "0.5", "on": "false", "metric": "a", "runs": "3", "n": "3", "mean": "2.75"},
        **{"sd": "1.375", "low": found[0]["low"], "high": found[0]["high"], "pairs": "3", "difference": "0.0"},
        **{"difference_low": "0.0", "difference_high": "0.0", "p": "1.0", "p_holm": "1.0"},
    }
    assert found[1]["n"] == "0" and found[1]["mean"] == found[1]["low"] == found[1]["pairs"] == ""


def test_a_cell_is_told_by_its_levels() -> None:
    assert told_cell(spec_of(), {"ticket": 0.5, "world": "static"}) == "ticket=0.5, world=static"


def test_one_seed_has_a_mean_and_no_interval() -> None:
    spec = ticket_spec()
    rows: list[CellRow] = summarize(spec, rows_of(spec, lambda levels, seed: done({"accuracy": 2.0}), seeds=(11,)))
    assert rows[1].interval.mean == 2.0 and math.isnan(rows[1].interval.low) and math.isnan(rows[1].p)
    assert ",2.0,,,,1,0.0,,,," in summary_csv(spec, rows)
