"""The event log: rows as they were given, refused when they do not add up, and the same after a rest on disk."""

import json

import numpy as np
import pytest
from made_log import moran_log, without

from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics import METRICS, measure
from evolora_mesa.errors import LogError


def two_and_a_child() -> EventLog:
    log = EventLog(("birth", "death", "energy"), run={"model": "Pair"})
    log.births(0, 0.0, [0, 1], op="init", geno=log.codes("geno", ["a", "b"]), energy=2.0)
    log.snapshot(0, 0.0, [0, 1], energy=2.0)
    log.births(1, 1.0, [2], [[0, 1]], [[0.25, 0.75]], op="merge", geno=log.code("geno", "c"))
    log.energy(1, [0, 1, 2], "birth", [-0.5, -0.5, 1.0])
    log.deaths(1, 1.0, [0], "starved")
    log.energy(1, -1, "residual_at_death", -1.5)
    log.changed(1, [1], "niche", log.code("niche", "shade"))
    log.snapshot(1, 1.0, [1, 2], energy=[1.5, 1.0])
    return log


def test_a_log_gives_back_what_it_was_told():
    log = two_and_a_child().close()
    births = log.frame("births")
    assert births["op"].tolist() == ["init", "init", "merge"]
    assert [log.keys("geno")[code] for code in births["geno"]] == ["a", "b", "c"]
    assert log.frame("deaths")["cause"].tolist() == ["starved"]
    assert log.frame("links")["weight"].tolist() == [0.25, 0.75]
    assert log.frame("energy")["account"].tolist() == ["birth"] * 3 + ["residual_at_death"]
    assert len(log) == 5


def test_rows_of_an_array_are_keys_of_their_own():
    log = EventLog()
    codes = log.codes("geno", np.array([[1, 0], [0, 1], [1, 0]], np.uint8))
    assert codes[0] == codes[2] != codes[1]
    assert log.keys("geno")[codes[0]] == bytes([1, 0])
    assert (log.codes("niche", np.array([7, 7, 3])) == [1, 1, 0]).all() and log.keys("niche") == [3, 7]


def test_many_rows_are_kept_in_their_order_as_the_table_grows():
    log = EventLog()
    for step in range(100):
        log.births(step, float(step), np.arange(step * 10, step * 10 + 10))
    assert (log.stream("births")["id"] == np.arange(1000)).all()
    assert (log.stream("births")["seq"] == np.arange(1000)).all()


def test_a_log_comes_back_from_disk_and_from_its_state_as_it_was(tmp_path):
    log = two_and_a_child()
    log.codes("pheno", [(1, "x"), None, b"\x00\xff", 1.5])
    again = EventLog()
    again.load_state_dict(log.state_dict())
    read = EventLog.load(log.close().save(tmp_path / "log"))
    assert read.closed and not again.closed
    for other in (again, read):
        assert other.run == log.run and other.capabilities == log.capabilities
        for stream in ("births", "links", "deaths", "changes", "energy", "marks", "snapshots"):
            assert other.frame(stream).equals(log.frame(stream)), stream
        assert other.keys("pheno") == log.keys("pheno")
    again.deaths(2, 2.0, [1])
    assert (again.stream("deaths")["seq"] == [3, 5]).all(), "a log that goes on counts on"


def test_a_file_that_was_tampered_with_is_refused(tmp_path):
    folder = two_and_a_child().close().save(tmp_path)
    with np.load(folder / "log.npz") as file:
        arrays = dict(file)
    np.savez_compressed(folder / "log.npz", **(arrays | {"deaths/id": np.array([1])}))
    with pytest.raises(LogError, match="without being alive"):
        EventLog.load(folder)
    np.savez_compressed(folder / "log.npz", **(arrays | {"deaths/id": np.array([0.5])}))
    with pytest.raises(LogError, match="another form"):
        EventLog.load(folder)
    (folder / "log.json").write_text(json.dumps({"version": 1}))
    with pytest.raises(LogError, match="not an event log"):
        EventLog.load(folder)


def test_the_phylogeny_is_read_by_phylotrackpy(tmp_path):
    systematics = pytest.importorskip("phylotrackpy").systematics
    folder = moran_log(20).close().save(tmp_path)
    lines = (folder / "phylogeny.csv").read_text().splitlines()
    assert lines[0].startswith("id,ancestor_list,origin_time,destruction_time")
    assert lines[1].startswith("0,[NONE],0,")
    tree = systematics.Systematics(lambda agent: agent)
    tree.load_from_file(str(folder / "phylogeny.csv"), "id", False, False)
    assert tree.get_num_active() == 60


def test_a_log_without_a_third_of_a_percent_of_its_deaths_is_refused():
    log = moran_log(1000, agents=100, turned_over=20)
    deaths = len(log.stream("deaths"))
    lost = np.random.default_rng(0).choice(deaths, round(0.0035 * deaths), replace=False)
    assert 0 < len(lost) < 100
    with pytest.raises(LogError, match="as many alive as births less deaths"):
        without(log, "deaths", lost).close()


def test_a_log_that_is_not_closed_cannot_be_measured_and_a_closed_one_not_continued():
    log = moran_log(20)
    with pytest.raises(LogError, match="closed"):
        measure(log)
    closed = log.so_far()
    assert closed.closed and not log.closed
    with pytest.raises(LogError, match="closed"):
        closed.deaths(21, 2.1, [0])


def test_a_log_that_is_switched_off_keeps_codes_only():
    log = EventLog(enabled=False)
    log.births(0, 0.0, [0], geno=log.code("geno", "a"))
    log.snapshot(0, 0.0, [0])
    assert len(log) == 0 and log.keys("geno") == ["a"]


def spoiled(spoil) -> EventLog:
    log = two_and_a_child()
    spoil(log)
    return log


FAULTS = {
    "no event": lambda log: log.stream("births").replace(log.stream("births").arrays() | {"seq": np.array([0, 1, 9])}),
    "after a later one": lambda log: log.deaths(0, 1.0, [1]),
    "born again": lambda log: log.births(1, 1.0, [2]),
    "died again": lambda log: log.deaths(1, 1.0, [0]),
    "without having been born": lambda log: log.deaths(1, 1.0, [7]),
    "never born": lambda log: log.births(1, 1.0, [3], [9]),
    "not archived": lambda log: log.births(1, 1.0, [3], [0]),
    "another sum": lambda log: log.births(1, 1.0, [3], [[1, 2]], [[0.5, 0.6]]),
    "births less deaths": lambda log: log.snapshot(1, 1.0, [1], energy=2.5),
    "without being alive": lambda log: log.snapshot(1, 1.0, [0, 1], energy=1.25),
    "twice": lambda log: log.snapshot(1, 1.0, [1, 1], energy=1.25),
    "the accounts": lambda log: log.snapshot(1, 1.0, [1, 2], energy=[1.5, 1.1]),
    "changed without having been born": lambda log: log.changed(1, [5], "niche", 0),
    "changed without being alive": lambda log: log.changed(1, [0], "niche", 0),
    "of an earlier step": lambda log: log.snapshot(0, 1.0, [1, 2], energy=[1.5, 1.0]),
    "of step 1 after a later event": lambda log: (log.changed(2, [1], "niche", 0), log.snapshot(1, 1.0, [1, 2], 1.25)),
    "a time that is not": lambda log: log.snapshot(1, np.nan, [1, 2], energy=[1.5, 1.0]),
    "no number": lambda log: log.energy(1, -1, "gift", np.nan),
}
FAULTS["not finite"] = FAULTS.pop("no number")


@pytest.mark.parametrize("words", FAULTS)
def test_a_log_that_breaks_an_invariant_is_refused_in_one_line(words):
    with pytest.raises(LogError, match=words) as caught:
        spoiled(FAULTS[words]).close()
    assert "\n" not in str(caught.value)


def test_energy_that_changes_without_any_account_is_refused():
    log = EventLog(("energy",))
    log.births(0, 0.0, [0], energy=1.0)
    log.snapshot(0, 0.0, [0], energy=1.0)
    log.snapshot(1, 1.0, [0], energy=7.0)
    with pytest.raises(LogError, match="the living hold 6 more at step 1, the accounts 0"):
        log.close()


def test_nobody_can_be_born_of_nobody():
    log = EventLog()
    log.births(0, 0.0, [], [])
    log.births(0, 0.0, [], np.empty((0, 2)))
    assert len(log) == 0


def sorts_apart(spoil=lambda log: None) -> EventLog:
    log = EventLog(run={"apart": "niche"})
    log.births(0, 0.0, [0, 1], niche=[0, 1])
    log.births(1, 1.0, [2], [1], niche=1)
    spoil(log)
    log.snapshot(1, 1.0, sorted(log.stream("births")["id"]))
    return log.close()


def test_sorts_that_a_log_says_stay_apart_do():
    assert sorts_apart().closed
    with pytest.raises(LogError, match="another sort than its parent"):
        sorts_apart(lambda log: log.births(1, 1.0, [3], [0], niche=1))
    with pytest.raises(LogError, match="changed sides"):
        sorts_apart(lambda log: log.changed(1, [0], "niche", 1))


def test_the_dead_may_be_parents_when_an_archive_keeps_them():
    log = two_and_a_child()
    log.archive([0])
    log.births(2, 2.0, [3], [0], op="inject")
    assert log.close().closed


def test_a_run_without_a_snapshot_cannot_be_checked():
    log = EventLog()
    log.births(0, 0.0, [0])
    with pytest.raises(LogError, match="no snapshot"):
        log.close()


def test_unknown_words_are_refused():
    log = EventLog()
    with pytest.raises(LogError, match="no such kind of event"):
        log.births(0, 0.0, [0], op="budding")


def test_a_metric_without_what_it_needs_is_not_applicable_and_never_zero():
    log = moran_log(20)
    log.capabilities = frozenset({"birth"})
    findings = measure(log.close(), shadows=2).findings
    assert set(findings) == set(METRICS)
    for name, finding in findings.items():
        if not METRICS[name].needs <= log.capabilities:
            assert finding.value is None and finding.shadows == () and finding.why.startswith("no "), name
