"""The message board: posts enter prompts and change answers, are paid for, and pay their authors."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hint_world import BOARD_ON, CACHE_ON, LOGIC, SORT, all_read, events, hint_world, listen, moved, plant
from world_fixtures import agents, enrich, grade_all, history, live, lively_world, tiny_world

from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.state import restore, state_of
from evolora_mesa.record.tree import join, pack_tensors, split, unpack_tensors

BOTH_ON = {**BOARD_ON, **CACHE_ON, "society.knowledge.form": "opening"}


def success(host: HostService, hint: str | None, generations: int = 3) -> float:
    """Mean success of a world in which everybody reads ``hint`` in the cell where all work."""
    model = hint_world(host, **BOARD_ON, **{"population.episodes": 16, "plasticity.rule": "none"})
    right = 0
    for _ in range(generations):
        model.hints.board.expire(10**9)
        if hint is not None:
            plant(model, SORT, hint)
        model.step()
        right += model.tally.succeeded
    return right / model.totals["episodes"]


# ---------------------------------------------------------------- off


def test_a_world_without_board_and_cache_draws_nothing_and_pays_nothing_for_them(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = listen(monkeypatch, petri)
    model = hint_world(petri)
    book = moved(model)
    live(model, 3)
    assert len(calls) == 3
    asked = [request.prompt for request in calls[-1][0]]
    assert model.last_work is not None and asked == [task.prompt for task in model.last_work.workload.tasks]
    assert not {"post", "read", "royalty"} & set(book)
    assert not any("hint" in name for name in (*model.streams._numpy, *model.streams._python))
    assert not any(kind in ("posted", "kept", "read") for kind, _, _ in model.events)
    assert len(model.hints.board) == len(model.hints.knowledge) == 0


def test_a_board_on_which_nothing_stands_changes_nothing_that_is_done(petri: HostService) -> None:
    off, on = (
        live(tiny_world(petri, **settings), 3)
        for settings in ({}, {**BOARD_ON, "society.board.evidence": 256})  # more than anybody answers
    )
    assert history(on) == history(off)
    assert agents(on) == agents(off)


# ---------------------------------------------------------------- reading


def test_a_post_enters_the_prompt_and_begins_the_answer(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = listen(monkeypatch, petri)
    all_read(monkeypatch)
    model = hint_world(petri, **BOARD_ON)
    plant(model, SORT, '"')
    model.step()
    [(requests, written)] = calls
    work = model.last_work.workload  # type: ignore[union-attr]
    assert [request.prompt for request in requests] == [task.prompt + '"' for task in work.tasks]
    assert work.answers.texts == ['"' + text for text in written.texts]
    assert model.tally.hints_read == len(work.tasks) == 16
    assert model.snapshot.row["hints_read"] == 16 and model.totals["hints_read"] == 16


def test_readers_of_a_good_post_succeed_and_readers_of_a_bad_one_fail(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_read(monkeypatch)
    without, good, bad = (success(petri, hint) for hint in (None, '"', "`"))
    assert good > without + 0.3
    assert bad < 0.05 < without


def test_organelles_find_out_by_themselves_which_post_to_read(petri: HostService) -> None:
    settings = {"population.episodes": 16, "plasticity.rule": "none", "society.board.evidence": 256}
    model = hint_world(petri, **BOARD_ON, **settings, **{"society.board.lifetime": 1000})
    reads = {'"': 0, "`": 0}
    for text in reads:
        plant(model, SORT, text)
    for generation in range(10):
        model.step()
        for _, facts in events(model, "read") if generation >= 5 else ():
            reads[facts["text"]] += len(facts["rows"])
    assert reads['"'] > 200 and reads["`"] < 20


def test_a_shuffled_board_gives_posts_about_another_family_at_the_same_price(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_read(monkeypatch)
    fees = []
    for shuffled in (False, True):
        model = hint_world(petri, **BOARD_ON, **{"society.board.shuffled": shuffled})
        book = moved(model)
        plant(model, SORT, '"')
        plant(model, LOGIC, "`")
        model.step()
        assert {facts["text"] for _, facts in events(model, "read")} == {"`" if shuffled else '"'}
        fees.append(sum(quanta for _, _, quanta in book["read"]))
    assert fees[0] == fees[1] == 16 * 2000


def test_nobody_reads_its_own_post(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    all_read(monkeypatch)
    model = hint_world(petri, **BOARD_ON)
    author = model.organelles()[1]
    plant(model, SORT, '"', author=author.unique_id)
    model.step()
    readers = {who for who, _ in events(model, "read")}
    assert readers == {o.unique_id for o in model.organelles()} - {author.unique_id}


def test_a_policy_against_reading_is_honoured(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    all_read(monkeypatch)
    model = hint_world(petri, **BOARD_ON)
    plant(model, SORT, '"')
    unwilling = model.organelles()[0]
    model.policies.reads[unwilling.slot] = False
    model.step()
    assert unwilling.unique_id not in {who for who, _ in events(model, "read")}
    assert model.tally.hints_read == 12


def test_joint_work_of_colonies_is_asked_without_hints(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    all_read(monkeypatch)
    model = hint_world(petri, **BOARD_ON)
    plant(model, SORT, '"')
    cells = model.forage()
    owners, places = np.nonzero(cells >= 0)
    tasks = model.work(cells).tasks
    model.colonies.shifts = [SimpleNamespace(rows=np.array([[0, 5]]))]  # type: ignore[list-item]
    prompts = model.hints.read(model, owners, cells[owners, places], tasks)
    assert [row for row, prompt in enumerate(prompts) if prompt == tasks[row].prompt] == [0, 5]


def test_a_hint_that_does_not_fit_into_the_host_is_left_out(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_read(monkeypatch)
    model = hint_world(petri, **BOARD_ON)
    assert petri.host.longest is not None
    plant(model, SORT, "a" * petri.host.longest)
    model.step()
    assert model.tally.hints_read == 0 and model.tally.episodes == 16


def test_what_is_learned_from_is_the_prompt_as_it_was_asked(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = listen(monkeypatch, petri)
    all_read(monkeypatch)
    model = hint_world(petri, **BOARD_ON)
    plant(model, SORT, '"')
    lessons = []
    learn = model.learner.learn
    monkeypatch.setattr(model.learner, "learn", lambda work: lessons.append(work) or learn(work))
    model.step()
    quote = petri.codec.encode_answer('"')[0]
    assert all(tokens[-1] == quote for tokens in lessons[0].answers.prompts)
    assert lessons[0].answers.tokens == calls[0][1].tokens
    assert lessons[0].answers.trace is not None


# ---------------------------------------------------------------- posting


def test_whoever_was_paid_often_enough_posts_how_its_answers_begin(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = hint_world(petri, **BOARD_ON, **{"tasks.styles": {"string.sort": "terse"}})
    grade_all(monkeypatch, lambda _: True)
    listen(monkeypatch, petri, ["so: abc", "so: xyz", "so: b", "so: c"])
    book = moved(model)
    model.step()
    [(author, facts)] = events(model, "posted")  # the others would have posted the same
    assert facts["text"] == "so: " and facts["cell"] == [0, 0]
    assert [hint.text for hint in model.hints.board.at(SORT)] == ["so: "]
    oldest = model.organelles()[0]
    assert author == oldest.unique_id
    assert book["post"] == [(oldest.account, model.soil, 4 * 2000)]
    assert model.tally.fees[oldest.unique_id] == pytest.approx(0.008)
    assert model.snapshot.row["posts"] == 1


def test_too_few_paid_answers_make_no_post(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model = hint_world(petri, **BOARD_ON, **{"society.board.evidence": 5})
    grade_all(monkeypatch, lambda _: True)
    listen(monkeypatch, petri, ["so: abc", "so: xyz", "so: b", "so: c"])
    model.step()
    assert not events(model, "posted")


def test_the_unwilling_and_the_poor_do_not_post(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    grade_all(monkeypatch, lambda _: True)
    texts = ["so: abc", "so: xyz", "so: b", "so: c"]
    model = hint_world(petri, **BOARD_ON, **{"economy.inflow": 0.0, "economy.endowment": 1.0})
    listen(monkeypatch, petri, texts)
    model.step()  # nobody has more than its ticket
    assert not events(model, "posted")
    model = hint_world(petri, **BOARD_ON)
    model.policies.posts[:] = False
    model.step()
    assert not events(model, "posted")


@pytest.mark.parametrize("text", ["\x1b[31mred", "\ud800", "<eos>x", "é", "a\x00"], ids=ascii)
def test_hostile_answers_are_not_posted(petri: HostService, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    grade_all(monkeypatch, lambda _: True)
    for form in ("opening", "example"):
        model = hint_world(petri, **BOTH_ON, **{"society.board.form": form})
        with monkeypatch.context() as patch:
            listen(patch, petri, [text + "a", text + "b", text + "c", text + "d"])
            model.step()
        assert len(model.hints.board) == len(model.hints.knowledge) == 0


def test_a_megabyte_is_cut_to_the_longest_post(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    grade_all(monkeypatch, lambda _: True)
    listen(monkeypatch, petri, ["x" * 1_000_000 + end for end in "abcd"])
    model = hint_world(petri, **BOARD_ON, **{"society.board.longest": 12})
    model.step()
    assert [hint.text for hint in model.hints.board.at(SORT)] == ["x" * 12]


def test_a_post_can_be_a_worked_example_the_surest_of_those_that_were_paid(petri: HostService) -> None:
    model = hint_world(petri, **BOARD_ON, **{"society.board.form": "example"})
    work = None
    while not events(model, "posted"):
        model.step()
        work = model.last_work
    assert work is not None
    author, facts = events(model, "posted")[0]
    place = work.ids.tolist().index(author)
    rows = np.flatnonzero(work.grades.success & (work.workload.owners == place))
    surest = rows[work.workload.answers.log_probability.numpy()[rows].argmax()]
    assert facts["text"] == work.workload.tasks[surest].prompt + work.workload.answers.texts[surest]


# ---------------------------------------------------------------- money


def test_readers_pay_for_reading_and_authors_get_their_share(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_read(monkeypatch)
    settings = {"society.board.royalty": 0.25, "society.board.read_price": 0.01}
    model = hint_world(petri, **BOARD_ON, **settings)
    author = model.organelles()[0]
    plant(model, SORT, '"', author=author.unique_id)
    book = moved(model)
    model.step()
    earned = {o.account: 0 for o in model.organelles()}
    for _, target, quanta in book["reward"]:
        earned[target] += quanta
    royalties = {source: 0 for source in earned if source != author.account}
    for source, target, quanta in book["royalty"]:
        assert target == author.account
        royalties[source] += quanta
    for account, royalty in royalties.items():
        assert royalty == pytest.approx(0.25 * earned[account], abs=8) and royalty > 0
    assert sorted(book["read"]) == sorted((account, model.soil, 4 * 10_000) for account in royalties)
    assert author.earned == pytest.approx((earned[author.account] + sum(royalties.values())) / 1e6, abs=1e-5)
    assert model.ledger.total() == 0
    reader = model.organelles()[1]
    assert model.tally.fees[reader.unique_id] == pytest.approx(0.04 + royalties[reader.account] / 1e6)


def test_tokens_of_a_hint_are_part_of_the_bill(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    all_read(monkeypatch)
    read = []
    for hint in ('"', '"aaaaaaaaa'):
        model = hint_world(petri, **BOARD_ON)
        plant(model, SORT, hint)
        model.step()
        read.append(model.tally.prompt_tokens)
    assert read[1] - read[0] == 16 * 9


def test_the_dead_get_no_royalty(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    all_read(monkeypatch)
    model = hint_world(petri, **BOARD_ON)
    plant(model, SORT, '"', author=9999)
    book = moved(model)
    model.step()
    assert model.tally.succeeded and "royalty" not in book


def test_those_who_own_nothing_read_on_credit_of_what_they_are_paid(petri: HostService) -> None:
    model = hint_world(petri, **BOARD_ON, **{"economy.endowment": 0.0, "society.board.read_price": 5.0})
    enrich(model, model.organelles()[0], 1.0)
    for _ in range(4):
        plant(model, SORT, '"' + "x" * model.tick)
        model.step()
        assert model.ledger.total() == 0


# ---------------------------------------------------------------- going on


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_world_put_back_goes_on_with_the_same_board_and_cache(petri: HostService, shuffled: bool) -> None:
    settings = {"society.board.shuffled": shuffled, "society.knowledge.shuffled": shuffled, "society.board.evidence": 2}
    model = live(lively_world(petri, **BOTH_ON, **settings), 8)
    plain, tensors = split(state_of(model))
    read = json.loads(json.dumps(plain, allow_nan=False))
    tree = join(read, unpack_tensors(pack_tensors(tensors), read, Path("tensors")))
    again = restore(model.config, tree, model.host)
    assert len(again.hints.board) == len(model.hints.board) > 0 and len(model.hints.knowledge) > 0
    live(model, 5)
    live(again, 5)
    assert history(again) == history(model) and agents(again) == agents(model)
    assert _plain(again) == _plain(model)
    assert model.totals["hints_read"] > 0


def test_reading_is_handed_down(petri: HostService) -> None:
    model = live(lively_world(petri, **BOARD_ON), 1)
    for _ in range(10):
        old = {organelle.unique_id for organelle in model.organelles()}
        model.hints.readers.paid[:] = 6.0
        model.hints.readers._owner[[o.slot for o in model.organelles()]] = [o.unique_id for o in model.organelles()]
        model.step()
        born = [o for o in model.organelles() if o.unique_id not in old and set(o.parents) & old]
        if born:
            model.hints.readers.welcome(model.organelles())
            assert (model.hints.readers.paid[born[0].slot] >= 2.0).all()
            return
    pytest.fail("nobody was born")


def _plain(model: EcologyModel) -> str:
    return json.dumps(split(model.hints.state_dict())[0], sort_keys=True) + repr(model.hints.readers.paid.tobytes())
