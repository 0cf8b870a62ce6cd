"""Colonies in a world: joint work, money, evidence, endings and beginnings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from colony_world import decide_by_date, founded, grade_everything, joint_rows, members_of, quiet_world, told
from record.test_recorder import recorded
from world_fixtures import adapters, at_home, live, teach, tiny_world

from evolora_mesa.errors import ConfigError
from evolora_mesa.host import Answers, HostService, Request
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.invariants import check
from evolora_mesa.record.schema import EVENT_KINDS
from evolora_mesa.society.colony import Audition, Counts
from evolora_mesa.society.joint import choose_answers
from evolora_mesa.society.recruiting import Probes


def heard(model: EcologyModel, monkeypatch: pytest.MonkeyPatch) -> list[list[Request]]:
    """Requests of every host call of one generation."""
    calls: list[list[Request]] = []
    answer = model.host.answer
    monkeypatch.setattr(
        model.host,
        "answer",
        lambda requests, *given, **named: calls.append(list(requests)) or answer(requests, *given, **named),
    )
    live(model, 1)
    monkeypatch.setattr(model.host, "answer", answer)
    return calls


def beside(model: EcologyModel, calls: list[list[Request]]) -> list[Request]:
    """What rode in the generation's own call behind everybody's rows."""
    return calls[0][len(model.last_work.workload.tasks) :]


# ---------------------------------------------------------------- off


def test_a_world_without_colonies_has_no_stream_account_event_or_call_for_them(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, calls = tiny_world(petri, **{"gate.enabled": False}), []
    answer = petri.answer
    monkeypatch.setattr(petri, "answer", lambda *given, **named: calls.append(1) or answer(*given, **named))
    live(model, 12)
    streams = model.streams.state_dict()
    assert not [name for kind in ("python", "numpy") for name in streams[kind] if "colon" in name]
    assert not [row for row in model.ledger.state_dict()["accounts"] if row["kind"] == "colony"]
    assert len(calls) == 12
    assert model.colonies.state_dict() == {"numbered": 0, "living": [], "refused": [], "probes": []}


def test_colonies_need_members_that_answer_as_they_are(petri: HostService) -> None:
    with pytest.raises(ConfigError, match="perturbed stand-ins"):
        tiny_world(
            petri,
            **{
                "society.colonies.enabled": True,
                "society.colonies.episodes": 2,
                "plasticity.rule": "evolution_strategy",
                "plasticity.pairs": 2,
            },
        )


# ---------------------------------------------------------------- work


def test_members_answer_joint_tasks_in_place_of_as_many_of_their_own(petri: HostService) -> None:
    model = quiet_world(petri)
    colony = founded(model, (0, 2), cells=[3])
    live(model, 1)
    work, _, ids = model.last_work
    per_member = model.config.population.episodes
    assert len(work.tasks) == len(ids) * per_member
    (shift,) = model.colonies.shifts
    assert shift.rows.shape == (2, 2)
    for row in shift.rows:
        assert work.tasks[row[0]] is work.tasks[row[1]]
        assert ids[work.owners[row]].tolist() == colony.members
    assert (work.cells[shift.rows] == 3).all()


def test_the_cell_pays_once_for_the_joint_answer_and_the_members_part_of_it(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    grade_everything(monkeypatch, True)
    model = quiet_world(petri, **{"economy.pool_limit": 1000.0, "economy.inflow": 1000.0})
    founded(model, (0, 1), cells=[2])
    paid: list[tuple[str, float]] = []
    kinds = model.ledger.kinds

    def see(reason: str, source: np.ndarray, target: np.ndarray, quanta: np.ndarray) -> None:
        for kind, amount in zip(kinds(target), quanta.tolist(), strict=True):
            paid.append((f"{reason} to {kind}", amount / 1e6))

    model.ledger.observer = see
    price = None
    step = model.settle

    def settle(workload: object) -> object:
        nonlocal price
        price = float(model.grid.layer("price").ravel()[2])
        return step(workload)

    monkeypatch.setattr(model, "settle", settle)
    live(model, 1)
    (worked,) = told(model, "colony_worked")
    own = len(model.last_work.workload.tasks) - joint_rows(model).size
    assert sum(1 for reason, _ in paid if reason == "reward to organelle") == own
    to_pot = [amount for reason, amount in paid if reason == "reward to colony"]
    assert to_pot == pytest.approx([price, price]) and worked["income"] == pytest.approx(2 * price)
    dividends = [amount for reason, amount in paid if reason == "dividend to organelle"]
    share = model.config.society.colonies.share
    assert len(dividends) == 2 and sum(dividends) >= (1 - share) * 2 * price - 1e-5
    assert model.ledger.total() == 0


def test_the_pot_pays_the_tokens_of_joint_work_and_members_do_not(petri: HostService) -> None:
    model = quiet_world(petri, **{"economy.adapter_kiloparameter": 0.0})
    colony = founded(model, (0, 1))
    live(model, 1)
    work, tariff, rows = model.last_work.workload, model.tariff, joint_rows(model)
    price = tariff.prompt_token * work.prompt_tokens + tariff.generated_token * work.generated_tokens
    assert model.ledger.flows["joint work"] == pytest.approx(price[rows].sum(), abs=1e-5)
    own = np.setdiff1d(np.arange(len(price)), rows)
    for member in members_of(model, colony):
        place = [o.unique_id for o in model.organelles()].index(member.unique_id)
        assert member.spent == pytest.approx(price[own][work.owners[own] == place].sum(), abs=1e-5)


def test_members_learn_from_their_own_answers_to_joint_tasks(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = quiet_world(petri)
    founded(model)
    taught = []
    learn = model.learner.learn
    monkeypatch.setattr(model.learner, "learn", lambda work: taught.append(work) or learn(work))
    live(model, 1)
    workload, grades, _ = model.last_work
    assert taught[0].rewards.tolist() == grades.rewards.tolist()
    assert len(taught[0].slots) == len(workload.tasks)


def test_the_joint_answer_is_what_the_mode_makes_of_the_members_answers(petri: HostService) -> None:
    for mode in ("vote", "confidence", "skill"):
        model = quiet_world(petri)
        founded(model, (0, 1, 2), mode=mode)
        live(model, 1)
        (sitting,) = model.colonies.sittings
        (shift,) = model.colonies.shifts
        answers = model.last_work.workload.answers
        slots = model.last_work.workload.slots[shift.rows[0]].tolist()
        cell = int(sitting.cells[0])
        assert len(slots) == 3
        keys = np.array([[answers.texts[row] for row in shift.rows[0]]])
        keys = np.unique(keys, return_inverse=True)[1].reshape(1, 3)
        luck = answers.log_probability.numpy()[shift.rows[:1]].astype(float)
        fresh = quiet_world(petri)  # beliefs as they were before learning
        believed = fresh.beliefs.success(np.array(slots)).reshape(3, -1)[:, cell][None]
        row = shift.rows[0, choose_answers(keys, luck, believed, mode)[0]]
        assert sitting.team.written[0] == answers.tokens[row]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_rival_has_as_many_answers_as_the_team(
    petri: HostService, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    model = quiet_world(petri)
    founded(model, range(size), cells=[0])
    best = model.organelles()[1]
    at_home(model, best, 0)
    calls = heard(model, monkeypatch)
    asked = beside(model, calls)  # two tasks, and the best member's own answer is there already
    assert len(calls) == 1
    assert [request.slot for request in asked] == [best.slot] * (size - 1) * 2


def test_behind_what_the_router_asks_colonies_get_their_own_answers(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = quiet_world(petri, **{"society.router.enabled": True, "society.router.episodes": 8})
    founded(model, (0, 1), cells=[0])
    given: list[tuple[list[Request], list[str]]] = []
    answer = model.host.answer

    def watched(requests: list[Request], *rest: object, **named: object) -> Answers:
        answers = answer(requests, *rest, **named)
        given.append((list(requests), answers.texts))
        return answers

    monkeypatch.setattr(model.host, "answer", watched)
    routed = 0
    for _ in range(4):
        given.clear()
        live(model, 1)
        requests, texts = given[0]
        first_key = model.streams.integer(f"colonies.{model.tick}") >> 1
        own = [row for row, request in enumerate(requests) if 0 <= request.key - first_key < 64]
        assert own and model.colonies.replies.texts == [texts[row] for row in own]
        routed += len(requests) - len(own) - len(model.last_work.workload.tasks)
    assert routed > 0


@pytest.mark.parametrize(("rival", "in_second_cell"), [("member", 0), ("cell", 1)])
def test_a_stricter_rival_is_the_best_member_of_each_cell(
    petri: HostService, monkeypatch: pytest.MonkeyPatch, rival: str, in_second_cell: int
) -> None:
    model = quiet_world(petri, **{"society.colonies.rival": rival, "society.colonies.episodes": 4})
    founded(model, (0, 1), cells=[0, 1])
    first, second = model.organelles()[:2]
    at_home(model, first, 0)
    at_home(model, first, 1, success=0.5)
    at_home(model, second, 1, success=0.6)
    asked = beside(model, heard(model, monkeypatch))
    cells = model.colonies.sittings[0].cells.tolist()
    assert set(cells) == {0, 1}
    best = {0: first.slot, 1: (first, second)[in_second_cell].slot}
    assert [request.slot for request in asked] == [best[cell] for cell in cells]


# ---------------------------------------------------------------- handing on


def test_with_handoff_the_second_member_reads_the_firsts_answer(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = quiet_world(petri)
    founded(model, (0, 1), mode="handoff", cells=[0])
    second = model.organelles()[1]
    at_home(model, second, 0)
    calls = heard(model, monkeypatch)
    (shift,) = model.colonies.shifts
    answers = model.last_work.workload.answers
    assert len(calls) == 2
    said = [answers.texts[row] for row in shift.rows[:, 0].tolist()]
    assert [request.slot for request in calls[1]] == [second.slot] * 2
    for request, message in zip(calls[1], said, strict=True):
        assert f"\nOthers say: {message}\nAnswer:" in request.prompt
    assert [request.slot for request in beside(model, calls)] == [second.slot] * 4  # three answers against three
    assert model.ledger.flows.get("message", 0.0) > 0


def test_no_more_is_handed_on_than_the_bandwidth_allows(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model = quiet_world(petri, **{"society.colonies.bandwidth": 0})
    founded(model, (0, 1), mode="handoff", cells=[0])
    assert len(heard(model, monkeypatch)) == 1
    assert "message" not in model.ledger.flows


# ---------------------------------------------------------------- evidence and endings


def test_a_colony_ends_when_its_best_member_does_better_with_as_many_tokens(petri: HostService) -> None:
    model = quiet_world(petri)
    colony = founded(model)
    colony.against = Counts(0, 0, 30)
    live(model, 1)
    (ended,) = told(model, "colony_dissolved")
    assert ended["reason"] == "worse" and model.colonies.living == []


def test_evidence_comes_from_the_paid_work_of_both_sides(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model = quiet_world(petri)
    colony = founded(model)
    grade_everything(monkeypatch, False)
    live(model, 3)
    assert (colony.tasks, colony.right, colony.rival_right) == (6, 0, 0)
    assert colony.tokens > 0 and colony.rival_tokens > 0


def test_what_is_left_of_the_pot_goes_back_by_what_was_paid_in(petri: HostService) -> None:
    model = quiet_world(petri)
    colony = founded(model, (0, 1))
    first, second = members_of(model, colony)
    model.ledger.transfer(model.sun, colony.pot, 10.0, "gift")
    colony.paid_in = {first.unique_id: 3.0, second.unique_id: 1.0}
    pot, before = model.ledger.balance(colony.pot), (first.energy, second.energy)
    from evolora_mesa.society.charter import wind_up

    wind_up(model, colony, "worse")
    gained = first.energy - before[0], second.energy - before[1]
    assert gained == pytest.approx((0.75 * pot, 0.25 * pot), abs=1e-5)
    assert sum(gained) == pytest.approx(pot, abs=1e-9)
    assert model.ledger.by_kind()["colony"] == 0 and model.ledger.total() == 0


def kill(model: EcologyModel, place: int) -> int:
    from evolora_mesa.turnover import bury

    dead = model.organelles()[place]
    bury(model, [dead])
    return dead.unique_id


def test_a_colony_ends_when_fewer_than_two_members_live(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    for size, survives in ((2, False), (3, True)):
        model = quiet_world(petri)
        colony = founded(model, range(size))
        judge = model.gatehouse.judge
        monkeypatch.setattr(model.gatehouse, "judge", lambda world, judge=judge: (kill(world, 0), judge(world)))
        live(model, 1)
        assert (colony in model.colonies.living) is survives
        assert len(told(model, "colony_left")) == survives
        assert len(told(model, "colony_dissolved")) == (not survives)
        alive = {organelle.unique_id for organelle in model.agents}
        assert all(alive.issuperset(one.members) for one in model.colonies.living)


def test_a_colony_that_cannot_pay_ends(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    grade_everything(monkeypatch, False)
    model = quiet_world(petri, **{"economy.generated_token": 1.0})
    colony = founded(model)
    model.ledger.transfer(colony.pot, model.soil, model.ledger.balance(colony.pot) - 0.01, "gift")
    live(model, 1)
    (ended,) = told(model, "colony_dissolved")
    assert ended["reason"] == "pot_empty"


def test_a_member_that_adds_nothing_leaves_with_its_part(petri: HostService) -> None:
    model = quiet_world(petri)
    colony = founded(model, (0, 1, 2))
    idle = colony.members[1]
    colony.paid_in = dict.fromkeys(colony.members, 1.0)
    colony.without = {member: Counts(40, 10, 0) for member in colony.members}
    colony.without[idle] = Counts(0, 200, 0)
    live(model, 1)
    (left,) = told(model, "colony_left")
    assert (left["member"], left["reason"]) == (idle, "idle")
    assert idle not in colony.members and len(colony.members) == 2


def test_what_each_member_adds_is_measured_at_paid_work(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model = quiet_world(petri)
    colony = founded(model, (0, 1, 2))
    live(model, 3)
    assert set(colony.without) == set(colony.members)
    assert all(counts.total == 6 for counts in colony.without.values())


# ---------------------------------------------------------------- beginnings


def test_two_with_complementary_cells_audition_and_pass_only_if_they_beat_the_better_one(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for helps in (True, False):
        model = quiet_world(petri, **{"society.colonies.rest": 0, "society.colonies.modes": ["skill"]})
        first, second = model.organelles()[:2]
        at_home(model, first, 0)
        at_home(model, second, 3)
        live(model, 1)
        (colony,) = model.colonies.living
        assert sorted(colony.members) == [first.unique_id, second.unique_id]
        assert {0, 3} <= set(colony.cells) and colony.founded is None and colony.audition is not None
        colony.audition.counts = Counts(30, 10, 0) if helps else Counts(0, 200, 0)
        live(model, 1)
        assert [len(told(model, kind)) for kind in ("colony_founded", "colony_refused")] == [helps, not helps]
        assert (colony.founded is not None) is helps
        if not helps:
            assert model.colonies.refused == {} or colony not in model.colonies.living


def test_an_audition_asks_the_gate_pool_and_the_pot_pays(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    from evolora_mesa.tasks import Pool, pool_of

    model = quiet_world(petri)
    first, second = model.organelles()[:2]
    at_home(model, first, 0)
    at_home(model, second, 3)
    live(model, 1)
    asked = beside(model, heard(model, monkeypatch))
    window = model.config.society.colonies.window
    assert len(asked) == 3 * window  # two members, and the better one once more
    assert all(pool_of(request.prompt) is Pool.GATE for request in asked)
    (colony,) = model.colonies.living
    assert colony.audition is not None and colony.audition.counts.total == window
    assert model.ledger.flows["colony gate"] == pytest.approx(colony.audition.energy)


def test_probes_find_pairs_that_are_right_where_the_other_is_wrong(petri: HostService) -> None:
    probes = Probes()
    probes.results = {(1, 2): np.array([20.0, 8.0, 8.0]), (1, 3): np.array([20.0, 8.0, 0.0])}
    assert probes.gain((1, 2)) > 0.25 > probes.gain((1, 3)) == probes.gain((2, 3)) == 0.0
    model = quiet_world(petri, **{"society.colonies.probe_every": 2, "gate.least_effect": 0.99})
    live(model, 2)
    assert len(model.colonies.probes.results) == 6  # pairs of four
    assert model.ledger.flows["probe"] > 0
    model.colonies.probes.forget({organelle.unique_id for organelle in model.organelles()[1:]})
    assert len(model.colonies.probes.results) == 3


def test_a_rich_colony_takes_in_a_member_whose_answers_help(petri: HostService) -> None:
    model = quiet_world(petri, **{"society.colonies.rest": 0, "society.colonies.ladder": False})
    colony = founded(model, (0, 1))
    model.ledger.transfer(model.sun, colony.pot, 20.0, "gift")
    live(model, 1)
    audition = colony.audition
    assert audition is not None and audition.purpose == "expansion"
    audition.counts = Counts(40, 0, 0)
    live(model, 1)
    assert audition.candidate in colony.members and len(colony.members) == 3
    assert told(model, "colony_joined")[0]["member"] == audition.candidate


# ---------------------------------------------------------------- the ladder


def with_lessons(model: EcologyModel, colony_count: int = 24) -> list[tuple[list[int], list[int]]]:
    prompts = model.host.codec.encode([f"Count the words: {'la ' * n}\nAnswer:" for n in range(1, 1 + colony_count)])
    return [(prompt, model.host.codec.encode_answer("zz")) for prompt in prompts]


def test_a_fused_colony_answers_with_one_adapter_that_nobody_learns_from(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = quiet_world(petri, **{"reproduction.enabled": True, "population.maximum": 12})
    colony = founded(model, (0, 1))
    for member in members_of(model, colony):
        teach(model, member)
    from evolora_mesa.society.charter import climb, open_audition

    open_audition(model, colony, Audition("fused", model.tick))
    assert colony.audition is not None
    slot = colony.audition.adapter
    mean = sum(
        model.bank.scaling * model.bank.b["lm_head"][m.slot] @ model.bank.a["lm_head"][m.slot]
        for m in members_of(model, colony)
    )
    fused = model.bank.scaling * model.bank.b["lm_head"][slot] @ model.bank.a["lm_head"][slot]
    assert torch.allclose(fused, mean / 2, atol=1e-5)
    climb(model, colony)
    assert (colony.rung, colony.adapter, colony.audition) == ("fused", slot, None)
    before, taught = adapters(model), []
    learn = model.learner.learn
    monkeypatch.setattr(model.learner, "learn", lambda work: taught.append(work) or learn(work))
    live(model, 1)
    (shift,) = model.colonies.shifts
    assert shift.rows.shape == (2, 1)
    assert len(taught[0].slots) == len(model.last_work.workload.tasks) - 2
    assert slot not in taught[0].answered_by.tolist()
    assert taught[0].answers.trace.rows.max() < len(taught[0].slots)
    work = model.last_work.workload
    assert work.answered_by[shift.rows.ravel()].tolist() == [slot, slot]
    after = adapters(model)
    assert all(before[name][slot].equal(after[name][slot]) for name in before)
    (worked,) = told(model, "colony_worked")
    assert worked["rung"] == "fused"
    (sitting,) = [one for one in model.colonies.sittings if one.audition is None]
    assert sitting.team.tokens == sum(
        int(counts[shift.rows].sum()) for counts in (work.prompt_tokens, work.generated_tokens)
    )


def test_a_colony_that_climbs_bears_a_child_with_its_adapter_through_the_gate(petri: HostService) -> None:
    model = quiet_world(petri, **{"reproduction.enabled": True, "population.maximum": 12})
    colony = founded(model, (0, 1, 2))
    for member in members_of(model, colony):
        teach(model, member)
    model.ledger.transfer(model.sun, colony.pot, 20.0, "gift")
    from evolora_mesa.society.charter import climb, open_audition

    open_audition(model, colony, Audition("fused", model.tick))
    climb(model, colony)
    (trial,) = model.gatehouse.trials
    assert trial.parents == tuple(colony.members) and trial.operator == "fused"
    assert all(stack[trial.slot].equal(stack[colony.adapter]) for stack in model.bank.b.values())
    assert [organelle.on_trial for organelle in model.organelles() if organelle.unique_id == trial.child] == [True]
    assert told(model, "colony_child")[0]["child"] == trial.child
    assert model.ledger.balance(colony.pot) < 21.0
    live(model, 2)
    assert model.ledger.total() == 0


def test_distilling_teaches_what_the_colony_answered(petri: HostService) -> None:
    from evolora_mesa.society.charter import open_audition
    from evolora_mesa.society.colony import Lesson

    model = quiet_world(petri, **{"society.colonies.epochs": 20})
    colony = founded(model, (0, 1))
    model.ledger.transfer(model.sun, colony.pot, 20.0, "gift")
    colony.lessons = [Lesson(*lesson) for lesson in with_lessons(model)]
    pot, untouched = model.ledger.balance(colony.pot), adapters(model)
    open_audition(model, colony, Audition("distilled", model.tick))
    assert colony.audition is not None and colony.audition.adapter is not None
    slot = colony.audition.adapter
    prompts = [f"Count the words: {'la ' * n}\nAnswer:" for n in range(1, 5)]
    answers = petri.answer([Request(slot, prompt) for prompt in prompts], model.bank)
    assert answers.texts == ["zz"] * 4
    assert model.ledger.balance(colony.pot) < pot
    after = adapters(model)
    others = [row for row in range(model.bank.capacity) if row != slot]
    assert all(untouched[name][others].equal(after[name][others]) for name in after)


def test_lessons_are_paid_answers_and_the_latest_stay(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    grade_everything(monkeypatch, True)
    model = quiet_world(petri, **{"society.colonies.lessons": 8})
    colony = founded(model, cells=[0])
    live(model, 3)
    assert len(colony.lessons) == 6 and 0 < len(colony.retention) <= 8
    live(model, 3)
    assert len(colony.lessons) == 8
    grade_everything(monkeypatch, False)
    kept = list(colony.lessons)
    live(model, 1)
    assert colony.lessons == kept


# ---------------------------------------------------------------- records


BUSY = {
    "society.colonies.enabled": True,
    "society.colonies.modes": ["vote", "confidence", "skill", "handoff"],
    "society.colonies.rest": 1,
    "society.colonies.probe_every": 2,
    "society.colonies.window": 4,
    "society.colonies.lessons": 8,
    "society.colonies.epochs": 1,
    "society.colonies.reserve": 0.05,
    "society.colonies.doubt": 0.1,
    "society.colonies.entry": 0.5,
    "society.colonies.episodes": 3,
    "economy.prompt_token": 0.0001,
    "economy.generated_token": 0.0004,
    "gate.least_effect": 0.01,
    "population.maximum": 16,
    "population.initial": 10,
    "population.episodes": 6,
    "reproduction.maturity": 1,
    "economy.inflow": 3.0,
    "economy.ticket": 0.6,
}


def busy_world(host: HostService, **settings: object) -> EcologyModel:
    """Colonies come and go for hardly any reason."""
    return tiny_world(host, rng=5, **{**BUSY, **settings})


@pytest.mark.slow
def test_a_world_full_of_colonies_breaks_no_invariant_and_its_energy_sums_to_zero(
    petri: HostService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide_by_date(monkeypatch)
    wanted = {kind for kind in EVENT_KINDS if kind.startswith("colony")} - {"colony_left"}
    kinds: set[str] = set()
    model = busy_world(petri)
    with recorded(model, tmp_path, 0) as store:
        while model.tick < 24 or (not kinds >= wanted and model.tick < 96):  # which comes when differs by processor
            model.step()
            kinds |= {kind for kind, _, _ in model.events if kind.startswith("colony")}
            assert model.ledger.total() == 0
            owned = [row["id"] for row in model.ledger.state_dict()["accounts"] if row["kind"] == "colony"]
            assert owned == [colony.pot for colony in model.colonies.living]
            members = [member for colony in model.colonies.living for member in colony.members]
            assert len(members) == len(set(members))
        assert check(store) == []
    assert kinds >= wanted


@pytest.mark.slow
def test_numbers_of_colonies_are_never_used_again(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    decide_by_date(monkeypatch)
    model, numbers = busy_world(petri), []
    for _ in range(16):
        model.step()
        numbers += [facts["colony"] for facts in told(model, "colony_proposed")]
    assert numbers == list(range(1, 1 + len(numbers))) and len(numbers) > 1


@pytest.mark.slow
def test_a_world_with_colonies_put_back_goes_on_bit_for_bit(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    from record.test_state import copy_of, differences

    decide_by_date(monkeypatch)
    model = live(busy_world(petri), 6)
    distilled = False
    for _ in range(3):
        again = copy_of(model)
        assert differences(model, again) == []
        live(model, 4)
        live(again, 4)
        assert differences(model, again) == []
        distilled |= any(colony.adapter is not None for colony in model.colonies.living)
    assert model.colonies.founded and distilled
