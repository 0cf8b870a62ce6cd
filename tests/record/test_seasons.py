"""What changes of the world did to a run, read from its store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_run import made_config

from evolora_mesa.record.report.document import Table
from evolora_mesa.record.report.seasons import carried_over
from evolora_mesa.record.schema import GenerationRows, figure_columns
from evolora_mesa.record.seasons import WINDOW, Turn, turns_of
from evolora_mesa.record.store import RunStore

FAMILIES = ("word.count", "math")
_EPISODES = 10  # of each family in a generation

Events = Mapping[int, Sequence[tuple[str, None, dict[str, Any]]]]


def lived(path: Path, success: Sequence[Sequence[int]], events: Events) -> RunStore:
    """A run in which so many of ten answers ``success [generations][families]`` succeeded; -1 where nobody asked."""
    store = RunStore.create(path / "run.sqlite", made_config())
    for generation, wins in enumerate([(-1, -1), *success]):
        asked = [family for family, right in enumerate(wins) if right >= 0]
        right = sum(wins[family] for family in asked)
        episodes = _EPISODES * len(asked)
        figures = dict.fromkeys(figure_columns(), 0.0) | {
            "episodes": float(episodes),
            "success_rate": right / episodes if episodes else math.nan,
        }
        answers = [(family, place) for family in asked for place in range(_EPISODES)]
        store.append(
            GenerationRows(
                generation,
                figures,
                cells=[(family, 0, 1.0, 1.0, max(wins[family], 0) / 10, 0.0, 0) for family in range(2)],
                episodes=[
                    (row, 1, family, 0, "t", "p", "a", place < wins[family], 0.0, 1, 1, 0.0)
                    for row, (family, place) in enumerate(answers)
                ],
                events=events.get(generation, ()),
            )
        )
    return store


def shift(*changed: str) -> tuple[str, None, dict[str, Any]]:
    return ("season", None, {"shift": 1, "changed": list(changed), "emptied": []})


def test_a_run_without_seasons_has_no_turns(tmp_path: Path) -> None:
    with lived(tmp_path, [(5, 5)] * 3, {}) as store:
        assert turns_of(store, FAMILIES) == ()
    assert carried_over(()) is None


def test_time_to_make_up_for_a_shift_is_counted_in_generations_and_episodes(tmp_path: Path) -> None:
    success = [(1, 3)] * WINDOW + [(8, 8)] * WINDOW + [(0, 4), (4, 4), (4, 4)] + [(9, 9)] * 8
    with lived(tmp_path, success, {11: [shift("math")]}) as store:
        (turn,) = turns_of(store, FAMILIES)
    assert turn.generation == 11 and turn.changes == (("season", shift("math")[2]),)
    assert turn.before == pytest.approx(0.8)
    assert turn.after == pytest.approx((4 + 8 + 8 + 18 + 18) / 100)
    # Windows of five end at generations 15 (.56), 16 (.70) and 17 (.80 >= .72).
    assert (turn.generations, turn.episodes) == (7, 140)
    assert turn.forward == pytest.approx((4 + 4 + 4 + 9 + 9) / 50 - 0.3)  # math alone, against the founders
    assert math.isnan(turn.backward)
    assert turn.coverage == (2, 2, 2)


def test_what_is_not_made_up_for_before_the_next_change_is_not_made_up_for(tmp_path: Path) -> None:
    success = [(8, 8)] * 6 + [(2, 2)] * 6 + [(9, 9)] * 6
    events = {7: [shift(*FAMILIES)], 13: [("winter_began", None, {"inflow": 0.5, "until": 20})]}
    with lived(tmp_path, success, events) as store:
        first, second = turns_of(store, FAMILIES)
    assert (first.generations, first.episodes) == (None, None)
    assert first.coverage == (2, 0, 0)
    assert (second.generations, second.episodes) == (WINDOW, 100)
    assert math.isnan(second.forward) and math.isnan(second.backward)


def test_a_family_that_comes_back_is_held_against_its_last_days(tmp_path: Path) -> None:
    success = [(5, 2)] * 3 + [(5, 8)] * WINDOW + [(5, -1)] * 4 + [(5, 6)] * WINDOW
    events = {
        9: [("families_left", None, {"families": ["math"]})],
        13: [("families_came", None, {"families": ["math"]})],
    }
    with lived(tmp_path, success, events) as store:
        left, came = turns_of(store, FAMILIES)
    assert math.isnan(left.forward) and math.isnan(left.backward)
    assert came.backward == pytest.approx(0.6 - 0.8)


def test_a_run_without_episodes_on_record_still_tells_of_its_recovery(tmp_path: Path) -> None:
    with lived(tmp_path, [(8, 8)] * 6 + [(4, 4)] * 2 + [(8, 8)] * 6, {7: [shift("math")]}) as store:
        (whole,) = turns_of(store, FAMILIES)
        other = _Episodeless(store)
        (bare,) = turns_of(other, FAMILIES)  # type: ignore[arg-type]
    assert (bare.before, bare.generations, bare.episodes) == (whole.before, whole.generations, whole.episodes)
    assert math.isnan(bare.forward)


class _Episodeless:
    """A store that has no episodes."""

    def __init__(self, store: RunStore) -> None:
        self._store, self.generation = store, store.generation

    def rows(self, query: str, values: Sequence[object] = ()) -> Any:
        return iter(()) if "FROM episodes" in query else self._store.rows(query, values)


def test_the_report_tells_of_transfer_and_of_what_is_not_known() -> None:
    turn = Turn(11, (("season", {}),), 0.8, 0.56, 7, 140, -0.0333, math.nan, (2, 1, 2))
    table = carried_over((turn, turn._replace(generations=None, episodes=None, backward=0.05)))
    assert isinstance(table, Table)
    assert table.rows[0][1:] == ("contracts shifted", "80.0 %", "56.0 %", "7", "140", "−3.3", "–", "2", "1", "2")
    assert table.rows[1][4:6] == ("not yet", "not yet") and table.rows[1][7] == "+5.0"
