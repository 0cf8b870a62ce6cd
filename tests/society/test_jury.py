"""A judge's liking enters what is paid and what is learned from, out of the grant fund and never out of nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from hint_world import events, hint_world, listen, moved
from world_fixtures import agents, history, live, lively_world, tiny_world

from evolora_mesa.config_society import Liked
from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.plasticity import Learner
from evolora_mesa.record.state import restore, state_of
from evolora_mesa.record.tree import join, pack_tensors, split, unpack_tensors
from evolora_mesa.society.judge import Contender, Duel
from evolora_mesa.society.ratings import RatingBook
from evolora_mesa.tasks import STYLES, read_answer

ON: dict[str, Any] = {
    "society.judge.enabled": True,
    "society.judge.every": 1,
    "society.judge.share": 1.0,
    "society.judge.likes": {"ticks": 4.0},
}
DUEL = Duel(
    family="string.sort",
    depth=1,
    prompt="Sort.\nAnswer:",
    a=Contender(organelle=1, text="`abc`", right=True),
    b=Contender(organelle=None, text="abc", right=True),
)


def ratings(path: Path, count: int, generation: int = 0) -> RatingBook:
    book = RatingBook(path)
    for _ in range(count):
        book.add(DUEL, "a", generation)
    return book


def share(model: EcologyModel, style: str = "ticks") -> float:
    assert model.last_work is not None
    texts = model.last_work.workload.answers.texts
    return Counter(read_answer(text)[0] for text in texts)[style] / len(texts)


# ---------------------------------------------------------------- off


def test_a_world_without_a_judge_draws_nothing_and_pays_nothing_for_one(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = listen(monkeypatch, petri)
    model = hint_world(petri)
    book = moved(model)
    live(model, 4)
    assert len(calls) == 4 and "bonus" not in book
    assert not any("judge" in name for name in (*model.streams._numpy, *model.streams._python))
    assert not events(model, "judged") and model.snapshot.row["judged"] == 0


def test_a_judge_without_weight_and_bonus_changes_nothing_that_is_done(petri: HostService) -> None:
    harmless = {**ON, "society.judge.weight": 0.0, "society.judge.bonus": 0.0}
    off, on = (live(tiny_world(petri, **settings), 3) for settings in ({}, harmless))
    without = [{name: value for name, value in row.items() if name != "judged"} for row in history(on)]
    assert without == [{name: value for name, value in row.items() if name != "judged"} for row in history(off)]
    assert agents(on) == agents(off)
    assert sum(on.datacollector.model_vars["judged"]) > 0


# ---------------------------------------------------------------- sitting


def test_a_judge_sits_in_its_generations_and_sees_its_share(petri: HostService) -> None:
    seen = []
    model = hint_world(petri, **{**ON, "society.judge.every": 3, "society.judge.share": 0.5})
    for _ in range(6):
        model.step()
        seen.append(model.tally.judged)
        assert len(events(model, "judged")) == (model.tally.judged > 0)
    assert seen == [0, 0, 8, 0, 0, 8]


def test_answers_are_compared_with_others_of_the_same_cell_and_of_another_owner(petri: HostService) -> None:
    model = tiny_world(petri, **ON)
    live(model, 2)
    assert model.last_work is not None
    work = model.last_work.workload
    pairs = model.jury._pairs(model, work)
    assert len(pairs) > 1 and len(set(pairs.ravel().tolist())) == pairs.size
    assert (work.cells[pairs[:, 0]] == work.cells[pairs[:, 1]]).all()
    assert (work.owners[pairs[:, 0]] != work.owners[pairs[:, 1]]).all()
    model.colonies.shifts = [SimpleNamespace(rows=pairs[:1])]  # type: ignore[list-item]
    assert not set(pairs[0].tolist()) & set(model.jury._pairs(model, work).ravel().tolist())


def test_who_is_liked_gets_a_bonus_out_of_the_grant_fund_and_all_energies_still_sum_to_zero(petri: HostService) -> None:
    model = hint_world(petri, **ON)
    book = moved(model)
    seen = 0
    for _ in range(4):
        book.clear()
        model.step()
        [(_, facts)] = events(model, "judged")
        paid = book.get("bonus", [])
        assert all(source == model.grant and quanta > 0 for source, _, quanta in paid)
        assert facts["bonus"] == pytest.approx(sum(quanta for *_, quanta in paid) / 1e6)
        assert sum(quanta for *_, quanta in paid) <= 0.1 * 16 * 1e6
        gifts = {account: quanta / 1e6 for _, account, quanta in paid}
        rewards: Counter[int] = Counter()
        for _, account, quanta in book["reward"]:
            rewards[account] += quanta
        for organelle in model.organelles():
            assert organelle.earned == pytest.approx(
                gifts.get(organelle.account, 0.0) + rewards[organelle.account] / 1e6
            )
        assert model.ledger.total() == 0
        seen += len(paid)
    assert seen > 0


def test_an_empty_fund_pays_no_bonus_and_a_poor_one_all_that_it_has(petri: HostService) -> None:
    model = hint_world(petri, **{**ON, "society.judge.bonus": 1000.0, "gate.grant_inflow": 0.25})
    model.step()
    model.step()
    assert model.ledger.balance(model.grant) == pytest.approx(0.0, abs=1e-5) and model.ledger.total() == 0
    broke = hint_world(petri, **{**ON, "gate.grant_inflow": 0.0})
    book = moved(broke)
    live(broke, 2)
    assert "bonus" not in book


def test_judged_answers_are_learned_from_with_the_judges_share_and_paid_without_it(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    lessons: list[np.ndarray] = []
    learn = Learner.learn
    monkeypatch.setattr(Learner, "learn", lambda learner, work: lessons.append(work.rewards) or learn(learner, work))
    model = hint_world(petri, **{**ON, "society.judge.weight": 1.0, "society.judge.likes": {"ticks": 20.0}})
    model.step()
    assert model.last_work is not None
    work, grades, _ = model.last_work
    assert grades.swayed is not None and (lessons[0] == grades.swayed).all()
    liked = np.array([read_answer(text)[0] == "ticks" for text in work.answers.texts])
    assert liked.any() and not liked.all()
    assert lessons[0][liked].min() >= 0.5 - 1e-6 and lessons[0][~liked].max() <= 0.5 + 1e-6
    assert model.tally.reward == pytest.approx(grades.rewards.sum())


def test_a_judge_that_likes_one_style_raises_its_share(petri: HostService) -> None:
    settings = {**ON, "society.judge.weight": 0.9, "population.episodes": 16}
    shares = []
    for enabled in (False, True):
        model = hint_world(petri, **{**settings, "society.judge.enabled": enabled})
        live(model, 11)
        shares.append(share(model))
    assert shares[1] > shares[0] + 0.2


# ---------------------------------------------------------------- ratings


def test_a_world_takes_up_the_ratings_of_a_file_from_its_beginning(petri: HostService, tmp_path: Path) -> None:
    ratings(tmp_path / "ratings.jsonl", 20, generation=99)
    model = hint_world(
        petri, **{**ON, "society.judge.likes": {}, "society.judge.source": str(tmp_path / "ratings.jsonl")}
    )
    model.step()
    [(_, facts)] = events(model, "judged")
    assert facts["ratings"] == 20 and facts["likes"]["ticks"] > 0.5 > 0.0 > facts["likes"]["terse"]
    assert facts["likes"]["quoted"] == facts["likes"]["right"] == 0.0


def test_a_source_that_is_not_there_or_was_changed_is_told_before_anything_happens(
    petri: HostService, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="cannot read the ratings"):
        hint_world(petri, **{**ON, "society.judge.source": str(tmp_path / "none")})
    path = ratings(tmp_path / "ratings.jsonl", 2).path
    path.write_bytes(path.read_bytes().replace(b'"choice":"a"', b'"choice":"b"'))
    with pytest.raises(RunError, match="the ratings were changed"):
        hint_world(petri, **{**ON, "society.judge.source": str(path)})


def test_a_rating_of_the_run_counts_from_the_generation_after_it_was_made(petri: HostService, tmp_path: Path) -> None:
    book = ratings(tmp_path / "ratings.jsonl", 3, generation=2)
    model = hint_world(petri, **ON)
    model.jury.hear(book.ratings)
    known = []
    for _ in range(4):
        model.step()
        known.append(events(model, "judged")[0][1]["ratings"])
    assert known == [0, 0, 3, 3]


def test_other_ratings_than_those_that_were_heard_are_refused(petri: HostService, tmp_path: Path) -> None:
    one, other = ratings(tmp_path / "one.jsonl", 3), ratings(tmp_path / "other.jsonl", 2, generation=1)
    model = hint_world(petri, **ON)
    model.jury.hear(one.ratings)
    one.add(DUEL, "tie", 1)
    model.jury.hear(one.ratings)
    for others in (other.ratings, [], one.ratings[:3]):
        with pytest.raises(RunError, match="not those that the world has heard"):
            model.jury.hear(others)
    assert model.jury.taste(2)[1] == 4


def test_what_can_be_liked_are_the_styles_of_the_tasks_and_being_right() -> None:
    assert get_args(Liked) == (*STYLES, "right")


def test_settings_name_only_what_an_answer_can_be_judged_by(petri: HostService) -> None:
    with pytest.raises(ConfigError, match="likes"):
        hint_world(petri, **{"society.judge.likes": {"pretty": 1.0}})
    with pytest.raises(ConfigError, match="likes"):
        hint_world(petri, **{"society.judge.likes": {"ticks": 21.0}})


# ---------------------------------------------------------------- going on


@pytest.mark.slow
def test_a_world_that_goes_on_is_the_one_that_never_stopped(petri: HostService, tmp_path: Path) -> None:
    book = ratings(tmp_path / "ratings.jsonl", 5, generation=1)
    settings = {**ON, "society.judge.every": 2}
    unbroken = lively_world(petri, **settings)
    unbroken.jury.hear(book.ratings)
    live(unbroken, 6)
    first = lively_world(petri, **settings)
    first.jury.hear(book.ratings)
    live(first, 3)
    tree, tensors = split(state_of(first))
    saved = json.loads(json.dumps(tree, allow_nan=False))
    again = restore(first.config, join(saved, unpack_tensors(pack_tensors(tensors), saved, Path("tensors"))), petri)
    assert again.jury.state_dict() == first.jury.state_dict() and again.jury.taste(6)[1] == 5
    again.jury.hear(book.ratings)
    live(again, 3)
    assert history(again) == history(unbroken) and agents(again) == agents(unbroken)
    assert again.jury.state_dict() == unbroken.jury.state_dict() and unbroken.jury.taste(6)[1] == 5
    assert sum(unbroken.datacollector.model_vars["judged"]) > 0
