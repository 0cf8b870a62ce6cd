"""The ruler as a whole: what is beside what, what is n/a, and the document that tells of it."""

import math
from pathlib import Path

import numpy as np
import pytest
from made_log import EVERYTHING, moran_log

from evolora_mesa.alife.interface import CAPABILITIES
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics import METRICS, Finding, measure
from evolora_mesa.alife.metrics.ruler import late
from evolora_mesa.errors import LogError

_DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "alife" / "metrics.md"


def table() -> str:
    """The metrics as the document shows them."""
    lines = ["| metric | what it is | unit | needs | shadow |", "|---|---|---|---|---|"]
    for name, metric in METRICS.items():
        needs = ", ".join(sorted(metric.needs)) or "-"
        facts = (
            f"`{name}`",
            metric.meaning.replace("|", "\\|"),
            metric.unit or "-",
            needs,
            "yes" if metric.shadow else "no",
        )
        lines.append(f"| {' | '.join(facts)} |")
    return "\n".join(lines)


def test_the_document_shows_every_metric():
    assert table() in _DOCUMENT.read_text(encoding="utf-8")


def test_metrics_need_known_capabilities():
    assert set(EVERYTHING) <= set(CAPABILITIES)
    assert {need for metric in METRICS.values() for need in metric.needs} <= set(CAPABILITIES)


def test_a_log_is_measured_twice_alike_and_by_another_seed_with_other_shadows():
    log = moran_log(100).close()
    first, second, other = (measure(log, ("hill_1",), shadows=3, seed=seed).findings["hill_1"] for seed in (0, 0, 1))
    assert first == second and first.value == other.value and first.shadows != other.shadows


def test_series_for_pictures_have_a_value_for_every_look():
    measured = measure(moran_log(100).close(), shadows=3)
    assert {"diversity", "mean", "median", "new", "shadow.mean"} <= set(measured.series)
    assert all(series.shape == measured.time.shape for series in measured.series.values())
    assert measured.waves.place.max() == len(measured.time) - 1
    assert measured.traits["z"].residual == pytest.approx(0, abs=1e-9)


def test_every_kind_of_component_can_be_measured():
    log = moran_log(60).close()
    for kind in ("geno", "pheno", "clade"):
        assert measure(log, ("hill_0",), kind=kind, shadows=1).findings["hill_0"].value >= 1
    names = ("hill_0", "activity_diversity", "change", "ecology", "accumulated_novelty", "turnover")
    for finding in measure(log, names, kind="niche", shadows=1).findings.values():
        assert finding.value is None, "nobody has a niche"
    with pytest.raises(LogError, match="no such kind"):
        measure(log, kind="colour")


def test_nobody_left_has_no_tree():
    log = EventLog(EVERYTHING)
    log.births(0, 0.0, [0, 1])
    log.deaths(1, 1.0, [0, 1])
    log.snapshot(1, 1.0, [])
    names = ("phylogenetic_diversity", "sackin", "colless_like", "mean_pairwise_distance", "lineage_length")
    assert all(finding.value is None for finding in measure(log.close(), names, shadows=1).findings.values())


@pytest.mark.parametrize("wrong", [{"names": ["beauty"]}, {"shadows": -1}, {"filter": 0}, {"resolution": -2.0}])
def test_wrong_arguments_are_refused_in_one_line(wrong):
    with pytest.raises(LogError) as error:
        measure(moran_log(10).close(), **wrong)
    assert "\n" not in str(error.value)


def test_without_shadows_nothing_is_new_and_nothing_decided():
    measured = measure(moran_log(60).close(), shadows=0)
    assert measured.findings["activity_new"].value is None
    assert measured.dynamics == "undecided" and math.isnan(measured.findings["hill_1"].excess)


def test_clades_are_lost_and_never_found_again():
    measured = measure(moran_log(300).close(), ("hill_0", "accumulated_novelty"), kind="clade", shadows=3)
    assert measured.findings["accumulated_novelty"].value == 0
    assert (np.diff(measured.series["diversity"]) <= 0).all() and measured.series["diversity"][0] == 60


def test_an_excess_within_what_shadows_cannot_know_is_not_beyond():
    shadows = tuple(100 + 0.1 * number for number in range(-5, 6))
    assert not Finding(115.0, "", shadows).beyond and Finding(115.0, "", shadows).z > 3
    assert Finding(130.0, "", shadows).beyond and Finding(70.0, "", shadows).beyond
    assert not Finding(None, "", shadows).beyond


def test_a_series_is_told_by_its_last_two_thirds():
    assert late([100, 1, 3]) == 2 and late([np.nan]) is None and late([]) is None
