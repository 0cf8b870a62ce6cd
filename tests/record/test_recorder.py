"""What is written down is what happened, and writing it down changes nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from world_fixtures import NOBODY_CAN_PAY, adapters, agents, history, live, lively_world, tiny_world

from evolora_mesa.economy import KINDS
from evolora_mesa.errors import RunError
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.invariants import INVARIANTS, check
from evolora_mesa.record.recorder import Recorder, is_sampled
from evolora_mesa.record.reporters import COUNTED, MODEL_REPORTERS
from evolora_mesa.record.schema import EVENT_KINDS, TABLES, timeless
from evolora_mesa.record.store import RunStore


def recorded(model: EcologyModel, path: Path, generations: int) -> RunStore:
    store = RunStore.create(path / "run.sqlite", model.config)
    Recorder(store, model.config.record).attach(model)
    live(model, generations)
    return store


def patronised(petri: HostService, **settings: object) -> EcologyModel:
    return lively_world(petri, **{"gate.enabled": True, "gate.budget": 0.2, **settings})


def test_a_recorded_world_breaks_no_invariant(petri: HostService, tmp_path: Path) -> None:
    with recorded(patronised(petri), tmp_path, 16) as store:
        assert check(store) == []
        kinds = Counter(kind for (kind,) in store.rows("SELECT kind FROM events"))
        assert set(kinds) <= set(EVENT_KINDS)
        assert min(kinds[kind] for kind in ("founded", "birth", "death", "moved", "learned", "refused")) > 0


def test_recording_changes_nothing(petri: HostService, tmp_path: Path) -> None:
    plain, watched = live(patronised(petri), 8), patronised(petri)
    with recorded(watched, tmp_path, 8):
        assert history(plain)[1:] == history(watched)[1:] and agents(plain) == agents(watched)
        ours, theirs = adapters(plain), adapters(watched)
        assert all(ours[name].equal(theirs[name]) for name in ours)


def test_one_seed_has_one_digest_and_another_has_another(petri: HostService, tmp_path: Path) -> None:
    digests = []
    for number, seed in enumerate((1, 1, 2)):
        (tmp_path / str(number)).mkdir()
        with recorded(tiny_world(petri, rng=seed), tmp_path / str(number), 3) as store:
            digests.append(store.digest)
    assert digests[0] == digests[1] != digests[2]


def test_figures_count_the_events(petri: HostService, tmp_path: Path) -> None:
    model = patronised(petri)
    with recorded(model, tmp_path, 16) as store:
        told = Counter(kind for (kind,) in store.rows("SELECT kind FROM events"))
        totals = model.totals
        assert {name: totals[name] for name in ("births", "deaths", "revivals")} == {
            "births": told["birth"],
            "deaths": told["death"],
            "revivals": told["revived"],
        }
        assert totals["merges"] + totals["promotions"] == told["accepted"] + told["confined"]
        assert totals["confined"] == told["confined"]
        decisions = store.frame("gates").groupby("verdict").size()
        assert decisions.get("refused", 0) == told["refused"]
        assert decisions.get("rejected", 0) == told["rejected"]
        frame = store.frame("generations")
        assert {name: totals[name] for name in COUNTED} == {name: frame[name].sum() for name in COUNTED}


def test_the_tables_hold_the_world(petri: HostService, tmp_path: Path) -> None:
    model = patronised(petri)
    with recorded(model, tmp_path, 5) as store:
        assert model.last_work is not None
        work, grades, ids = model.last_work
        assert work.answers.trace is None
        episodes = store.frame("episodes", first=5)
        assert episodes["organelle"].tolist() == ids[work.owners].tolist()
        assert episodes["prompt"].tolist() == [task.prompt for task in work.tasks]
        assert episodes["answer"].tolist() == work.answers.texts
        assert episodes["success"].tolist() == grades.success.astype(int).tolist()
        alive = store.frame("organelles", first=5)
        assert alive["id"].tolist() == [organelle.unique_id for organelle in model.organelles()]
        assert alive["energy"].tolist() == [organelle.energy for organelle in model.organelles()]
        cells = store.frame("cells", first=5)
        assert cells["price"].to_numpy().reshape(model.payout.shape).tolist() == model.grid.layer("price").tolist()
        assert cells["occupancy"].sum() == len(model.agents)
        lives = {row[0]: row for row in store.table("phylogeny")}
        assert [life[0] for life in lives.values()] == [record.id for record in model.phylogeny]
        assert len(lives) == len(model.phylogeny)
        row = store.tail(4)[0]
        assert {name: row[name] for name in MODEL_REPORTERS} == {
            name: None if value != value else value for name, value in model.snapshot.row.items()
        }


def test_every_quantum_can_be_followed(petri: HostService, tmp_path: Path) -> None:
    model = patronised(petri)
    with recorded(model, tmp_path, 8) as store:
        held: Counter[str] = Counter()
        for source, target, quanta in store.rows("SELECT source_kind, target_kind, quanta FROM ledger"):
            held[source] -= quanta
            held[target] += quanta
        owned = model.ledger.by_kind()
        assert {kind: held[kind] / 1_000_000 for kind in KINDS} == owned
        assert sum(held.values()) == 0


@pytest.mark.parametrize("episodes", ["sample", "none"])
def test_what_is_not_wanted_is_not_kept(petri: HostService, tmp_path: Path, episodes: str) -> None:
    settings = {"record.episodes": episodes, "record.sample_every": 5, "record.transfers": False}
    model = tiny_world(petri, **settings)
    with recorded(model, tmp_path, 10) as store:
        assert list(store.table("ledger")) == []
        kept = {(row[0], row[1]) for row in store.table("episodes")}
        work = [(row["generation"], place) for row in store.tail(-1) for place in range(int(row["episodes"]))]
        wanted = {pair for pair in work if episodes == "sample" and is_sampled(*pair, 5)}
        assert kept == wanted and bool(wanted) == (episodes == "sample")
        assert {row % 5 for _, row in kept} == ({0, 1, 2, 3, 4} if wanted else set())  # no place is always left out
        assert check(store) == []


def test_an_extinct_world_is_on_record_to_its_end(petri: HostService, tmp_path: Path) -> None:
    with recorded(tiny_world(petri, **NOBODY_CAN_PAY), tmp_path, 3) as store:
        assert [row["population"] for row in store.tail(-1)][-1] == 0
        assert check(store) == []


def test_a_store_of_another_moment_is_refused(petri: HostService, tmp_path: Path) -> None:
    model = tiny_world(petri)
    with recorded(model, tmp_path, 2) as store:
        with pytest.raises(RunError, match="not where the world is"):
            Recorder(store, model.config.record).attach(tiny_world(petri))
        Recorder(store, model.config.record).attach(live(tiny_world(petri), 2))


LIES = {
    "every death has a birth": "UPDATE events SET organelle = 999 WHERE kind = 'death'",
    "nobody is born twice": "UPDATE events SET organelle = 1 WHERE kind = 'birth'",
    "nobody dies twice": "UPDATE events SET kind = 'death' WHERE kind = 'moved'",
    "parents are born before their children": "UPDATE events SET data = '{\"parents\":[999]}' WHERE kind = 'birth'",
    "the population changes by births and deaths": "UPDATE generations SET population = population + 1",
    "figures agree with events": "UPDATE generations SET births = births + 1",
    "the phylogeny agrees with events": "UPDATE phylogeny SET cause = 'murder' WHERE cause = 'bankrupt'",
    "colonies live as the events tell": (
        "UPDATE events SET kind = 'colony_dissolved', data = '{\"colony\":9,\"members\":[1]}' WHERE kind = 'moved'"
    ),
    "energy sums to zero": "UPDATE generations SET energy_soil = energy_soil + 0.001",
    "transfers explain all energies": "UPDATE ledger SET quanta = quanta + 1 WHERE reason = 'ticket'",
    "generations follow each other": "DELETE FROM generations WHERE generation = 3",
    "the digest chain is intact": "UPDATE cells SET price = price + 1e-9",
    "settings match their hash": "UPDATE meta SET value = 'name: other' WHERE key = 'config'",
}


def test_every_invariant_is_told_by_its_name(petri: HostService, tmp_path: Path) -> None:
    recorded(patronised(petri), tmp_path, 12).close()
    assert set(LIES) | {"the file is whole"} == set(INVARIANTS)
    for number, (invariant, lie) in enumerate(LIES.items()):
        path = Path(shutil.copy(tmp_path / "run.sqlite", tmp_path / f"{number}.sqlite"))
        with sqlite3.connect(path) as other:
            assert other.execute(lie).rowcount > 0, invariant
        with RunStore.open(path) as store:
            assert invariant in {finding.invariant for finding in check(store)}


@pytest.mark.slow
def test_a_flipped_bit_is_found_or_hurts_nobody(petri: HostService, tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    names = (*TABLES, "generations", "phylogeny")

    def contents(store: RunStore) -> list[list[tuple[object, ...]]]:
        """All rows; without seconds, which no digest covers."""
        return [list(store.rows(f'SELECT {", ".join(columns)} FROM "{name}"')) for name, columns in wanted]

    with recorded(patronised(petri), tmp_path, 12) as store:
        wanted = [(name, [f'"{column}"' for column in timeless(store.columns(name))]) for name in names]
        before = contents(store)
    whole = path.read_bytes()
    places = range(0, len(whole), len(whole) // 200)
    silent = 0
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            with RunStore.open(path) as store:
                if not check(store):  # the bit is in room that nobody uses, or of a fact that is told elsewhere
                    assert contents(store) == before
                    silent += 1
        except RunError as error:
            assert "\n" not in str(error)
    assert len(places) - silent > 50  # otherwise little was tried


# ---------------------------------------------------------------- the DataCollector's window


def test_the_collector_remembers_a_window_and_the_totals_everything(petri: HostService) -> None:
    short = live(lively_world(petri, **{"record.memory": 8}), 20)
    whole = live(lively_world(petri), 20)
    frame = short.datacollector.get_model_vars_dataframe()
    assert frame["generation"].tolist() == list(range(13, 21))
    assert history(short) == history(whole)[13:]
    assert short.datacollector.get_agent_vars_dataframe().index.get_level_values("Step").min() == 13
    for name in ("births", "deaths", "gates"):
        ours, all_of_it = (model.datacollector.get_table_dataframe(name) for model in (short, whole))
        assert ours["generation"].tolist() == [born for born in all_of_it["generation"] if born >= 13]
    assert short.totals == whole.totals and short.totals["births"] > frame["births"].sum()
