"""Two specialists in one adapter: exact sums keep what halves of the factors lose."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError
from evolora_mesa.host import HostService
from evolora_mesa.study.merging import NAIVE, PICKED, RECIPES, merge_pairs
from evolora_mesa.study.merging_table import MergeRow, MergeTable


@pytest.fixture(scope="module")
def table(petri: HostService, small_world: WorldConfig) -> MergeTable:
    return merge_pairs(petri, small_world, seeds=[0, 1], episodes=256, per_cell_gate=8, per_cell_test=16)


@pytest.mark.slow
def test_every_recipe_makes_a_child_of_the_one_pair_there_is(table: MergeTable) -> None:
    wanted = {f"{PICKED}, rank 4", f"{PICKED}, rank 8", NAIVE, *(recipe.name for recipe in RECIPES)}
    assert set(table.recipes) == wanted
    assert len(table.rows) == 2 * len(wanted)
    assert {(row.first, row.second) for row in table.rows} == {("json.repair", "string.ops")}


@pytest.mark.slow
def test_the_parents_are_specialists_and_the_svd_child_holds_both(table: MergeTable) -> None:
    for row in table.rows:
        assert sum(row.own) > sum(row.other) + 0.5
    assert table.accuracy("svd 0.5, rank 8") > 0.8 * sum(map(sum, (row.own for row in table.rows))) / 2 / len(
        table.rows
    )
    assert table.accuracy("average") == pytest.approx(table.accuracy("svd 0.5, rank 8"), abs=0.02)
    assert table.accuracy("concat") == pytest.approx(table.accuracy("sum"), abs=0.02)


def test_both_skills_are_kept_only_at_nine_tenths_of_both_parents() -> None:
    def keeps(child: tuple[float, float]) -> bool:
        return MergeRow(0, "svd", (), "a", "b", (0.8, 0.5), (0.0, 0.0), child).keeps_both

    assert keeps((0.73, 0.46)) and not keeps((0.71, 0.5)) and not keeps((0.8, 0.44))


def test_the_page_and_the_csv_hold_every_recipe(table: MergeTable, tmp_path: Path) -> None:
    page, lines = table.save(tmp_path, command="the command")
    text = page.read_text()
    assert "Made by `the command`" in text and all(f"| {recipe} |" in text for recipe in table.recipes)
    rows = list(csv.DictReader(io.StringIO(lines.read_text())))
    assert len(rows) == len(table.rows)
    for line, row in zip(rows, table.rows, strict=True):
        assert float(line["child_second"]) == pytest.approx(row.child[1], abs=1e-4)
        assert bool(line["weights"]) == row.recipe.startswith(PICKED)


def test_bad_requests_are_refused(petri: HostService) -> None:
    for options in ({"seeds": []}, {"seeds": [0], "pairs": 0}, {"seeds": [0], "episodes": 3}):
        with pytest.raises(ConfigError, match="nothing to merge"):
            merge_pairs(petri, **options)  # type: ignore[arg-type]
    same_style = load_config("ecology", {"tasks.families": ["math", "math.multi_step"]})
    with pytest.raises(ConfigError, match="no conflict to merge"):
        merge_pairs(petri, same_style, seeds=[0])


@pytest.mark.slow
def test_five_of_eight_svd_children_keep_both_skills(petri: HostService) -> None:
    found = merge_pairs(petri, seeds=[0])
    assert found.kept("svd 0.5, rank 4")[0] >= 5
