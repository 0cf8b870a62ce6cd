"""Energy is conserved: no history of the ledger creates it, destroys it, or leaves anybody below zero."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from evolora_mesa.economy import KINDS, QUANTA_PER_ENERGY, Ledger
from evolora_mesa.errors import LedgerError

AMOUNTS = st.one_of(st.just(0.0), st.just(1e-7), st.floats(0, 20, allow_nan=False))
REASONS = st.sampled_from(["inflow", "reward", "ticket", "tokens", "gift"])


def world() -> tuple[Ledger, int, int, int, int]:
    """A ledger with a sun, a soil, an organelle of 5 energy and an organelle of 1 energy."""
    ledger = Ledger()
    sun, soil = ledger.open("sun"), ledger.open("soil")
    rich, poor = ledger.open("organelle", "rich"), ledger.open("organelle", "poor")
    ledger.transfer(sun, rich, 5.0, "founding")
    ledger.transfer(sun, poor, 1.0, "founding")
    return ledger, sun, soil, rich, poor


class LedgerHistory(RuleBasedStateMachine):
    """Any history of the ledger beside a plain dictionary of Python integers that must agree with it."""

    @initialize()
    def begin(self) -> None:
        self.ledger = Ledger()
        self.quanta: dict[int, int] = {}
        self.kinds: dict[int, str] = {}
        self.flows: dict[str, int] = {}
        for kind in ("sun", "soil", "cell", "organelle"):
            self.open(kind)

    @rule(kind=st.sampled_from([kind for kind in KINDS if kind != "sun"]))
    def open(self, kind: str) -> None:
        account = self.ledger.open(kind, f"{kind} {len(self.kinds)}")
        assert account not in self.kinds  # not even the id of a closed account comes back
        self.quanta[account] = 0
        self.kinds[account] = kind

    @precondition(lambda self: len(self.quanta) > 3)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        account, heir = self._pair(data)
        assume(self.kinds[account] != "sun")
        left = self.ledger.close(account, heir)
        quanta = self.quanta.pop(account)
        assert left == quanta / QUANTA_PER_ENERGY
        self._expect("death", heir, quanta)

    @rule(data=st.data(), amount=AMOUNTS, reason=REASONS, up_to=st.booleans())
    def transfer(self, data: st.DataObject, amount: float, reason: str, up_to: bool) -> None:
        source, target = self._pair(data)
        asked = round(amount * QUANTA_PER_ENERGY)
        spendable = asked if self.kinds[source] == "sun" else self.quanta[source]
        if asked > spendable and not up_to:
            with pytest.raises(LedgerError, match="overdrawn"):
                self.ledger.transfer(source, target, amount, reason)
            return
        moved = self.ledger.transfer(source, target, amount, reason, up_to=up_to)
        quanta = min(asked, spendable)
        assert moved == quanta / QUANTA_PER_ENERGY
        self.quanta[source] -= quanta
        self._expect(reason, target, quanta)

    @rule(data=st.data(), reason=REASONS, up_to=st.booleans(), amounts=st.lists(AMOUNTS, max_size=8))
    def transfer_array(self, data: st.DataObject, reason: str, up_to: bool, amounts: list[float]) -> None:
        pairs = [self._pair(data) for _ in amounts]
        sources = np.array([source for source, _ in pairs], dtype=np.int64)
        targets = np.array([target for _, target in pairs], dtype=np.int64)
        asked = [round(amount * QUANTA_PER_ENERGY) for amount in amounts]
        due: dict[int, int] = {}
        for source, quanta in zip(sources.tolist(), asked, strict=True):
            due[source] = due.get(source, 0) + quanta
        overdrawn = any(self.kinds[source] != "sun" and due[source] > self.quanta[source] for source in due)
        if (up_to and len(due) < len(amounts)) or (not up_to and overdrawn):
            with pytest.raises(LedgerError):
                self.ledger.transfer(sources, targets, np.array(amounts), reason, up_to=up_to)
            return
        before = dict(self.quanta)
        moved = self.ledger.transfer(sources, targets, np.array(amounts), reason, up_to=up_to)
        paid = [
            quanta if self.kinds[source] == "sun" else min(quanta, before[source])
            for source, quanta in zip(sources.tolist(), asked, strict=True)
        ]
        assert moved.tolist() == [quanta / QUANTA_PER_ENERGY for quanta in paid]
        for source, target, quanta in zip(sources.tolist(), targets.tolist(), paid, strict=True):
            self.quanta[source] -= quanta
            self._expect(reason, target, quanta)

    @rule()
    def begin_generation(self) -> None:
        self.ledger.begin_generation()
        self.flows = {}

    @rule()
    def save_and_load(self) -> None:
        restored = Ledger()
        restored.load_state_dict(json.loads(json.dumps(self.ledger.state_dict())))
        assert restored.state_dict() == self.ledger.state_dict()
        self.ledger = restored

    @invariant()
    def the_sum_is_zero(self) -> None:
        assert self.ledger.total() == 0

    @invariant()
    def only_the_sun_is_below_zero(self) -> None:
        assert all(energy >= 0 for kind, energy in self.ledger.by_kind().items() if kind != "sun")
        assert all(self.ledger.balance(account) >= 0 for account in self.quanta if self.kinds[account] != "sun")

    @invariant()
    def it_agrees_with_plain_integers(self) -> None:
        accounts = np.array(list(self.quanta), dtype=np.int64)
        expected = np.array(list(self.quanta.values()), dtype=np.int64) / QUANTA_PER_ENERGY
        assert np.array_equal(self.ledger.balance(accounts), expected)
        assert self.ledger.flows == {why: quanta / QUANTA_PER_ENERGY for why, quanta in self.flows.items()}
        for kind, energy in self.ledger.by_kind().items():
            held = sum(quanta for account, quanta in self.quanta.items() if self.kinds[account] == kind)
            assert energy == held / QUANTA_PER_ENERGY

    def _pair(self, data: st.DataObject) -> tuple[int, int]:
        pair = data.draw(st.lists(st.sampled_from(list(self.quanta)), min_size=2, max_size=2, unique=True))
        return pair[0], pair[1]

    def _expect(self, reason: str, target: int, quanta: int) -> None:
        self.quanta[target] += quanta
        if quanta:
            self.flows[reason] = self.flows.get(reason, 0) + quanta


TestEveryHistoryConservesEnergy = LedgerHistory.TestCase
TestEveryHistoryConservesEnergy.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_balance_read_as_a_float_pays_out_to_the_last_quantum() -> None:
    ledger, sun, soil, rich, _ = world()
    for odd in (0.1, 0.29, 1 / 3, 123_456.789_012, 2_000_000_000.123_457):
        ledger.transfer(sun, rich, odd, "gift")
        ledger.transfer(rich, soil, ledger.balance(rich), "all of it")
        assert ledger.balance(rich) == 0


def test_one_quantum_more_than_the_balance_is_an_overdraft() -> None:
    ledger, _, soil, rich, poor = world()
    for source, amount in ((poor, 1.000_001), (np.array([rich, rich]), np.array([3.0, 2.000_001]))):
        with pytest.raises(LedgerError, match="overdrawn"):
            ledger.transfer(source, soil, amount, "ticket")
    assert ledger.transfer(poor, soil, 1.000_001, "ticket", up_to=True) == 1.0


def test_a_repeated_source_is_held_against_the_sum_of_its_rows() -> None:
    ledger, _, soil, rich, _ = world()
    with pytest.raises(LedgerError, match="'rich' would be overdrawn"):
        ledger.transfer(np.array([rich, rich]), soil, 2.6, "tokens")
    assert ledger.balance(rich) == 5
    ledger.transfer(np.array([rich, rich]), soil, 2.5, "tokens")
    assert ledger.balance(rich) == 0


def test_a_transfer_with_one_bad_row_moves_nothing() -> None:
    ledger, _, soil, rich, poor = world()
    before = ledger.state_dict()
    with pytest.raises(LedgerError, match="overdrawn"):
        ledger.transfer(np.array([rich, poor]), soil, np.array([1.0, 1.5]), "ticket")
    assert ledger.state_dict() == before


def test_energy_received_in_a_call_cannot_be_spent_in_it() -> None:
    ledger, sun, soil, _, poor = world()
    with pytest.raises(LedgerError, match="overdrawn"):
        ledger.transfer(np.array([sun, poor]), np.array([poor, soil]), np.array([4.0, 2.0]), "relay")
    paid = ledger.transfer(np.array([sun, poor]), np.array([poor, soil]), np.array([4.0, 2.0]), "relay", up_to=True)
    assert paid.tolist() == [4.0, 1.0]
    assert ledger.balance(poor) == 4


def test_a_bill_that_cannot_be_paid_takes_what_is_there() -> None:
    ledger, sun, soil, rich, poor = world()
    assert ledger.transfer(poor, soil, 3.0, "ticket", up_to=True) == 1.0
    assert ledger.transfer(sun, poor, 3.0, "gift", up_to=True) == 3.0
    paid = ledger.transfer(np.array([rich, poor]), soil, np.array([1.5, 9.0]), "tokens", up_to=True)
    assert paid.tolist() == [1.5, 3.0]
    with pytest.raises(LedgerError, match="repeated"):
        ledger.transfer(np.array([rich, rich]), soil, 1.0, "tokens", up_to=True)


def test_nothing_moved_leaves_no_trace() -> None:
    ledger, sun, soil, rich, _ = world()
    seen: list[str] = []
    ledger.observer = lambda reason, *_: seen.append(reason)
    before = ledger.flows
    assert ledger.transfer(sun, soil, 0.0, "nothing") == 0.0
    assert ledger.transfer(np.array([]), np.array([]), np.array([]), "nobody").shape == (0,)
    assert ledger.transfer(np.array([], dtype=np.int64), soil, 1.0, "nobody").shape == (0,)
    assert ledger.flows == before
    assert seen == []
    ledger.transfer(np.array([rich, rich]), soil, np.array([0.0, 1.0]), "something")
    assert seen == ["something"]


def test_an_observer_sees_every_quantum_that_moves() -> None:
    shadow = np.zeros(200, dtype=np.int64)

    def follow(reason: str, source: np.ndarray, target: np.ndarray, quanta: np.ndarray) -> None:
        assert reason and (quanta > 0).all()
        np.subtract.at(shadow, source, quanta)
        np.add.at(shadow, target, quanta)

    ledger = Ledger(observer=follow)
    sun, soil = ledger.open("sun"), ledger.open("soil")
    organelles = np.array([ledger.open("organelle") for _ in range(150)])
    random = np.random.default_rng(1)
    for _ in range(20):
        ledger.transfer(sun, organelles, random.random(150), "inflow")
        ledger.transfer(organelles, soil, random.random(150), "ticket", up_to=True)
    ledger.close(int(organelles[7]), soil)
    open_accounts = np.delete(np.arange(152), organelles[7])
    assert np.array_equal(shadow[open_accounts] / QUANTA_PER_ENERGY, ledger.balance(open_accounts))
    assert shadow.sum() == 0


def test_flows_count_one_generation() -> None:
    ledger, sun, soil, rich, poor = world()
    assert ledger.flows == {"founding": 6.0}
    ledger.begin_generation()
    ledger.transfer(sun, np.array([rich, poor]), 0.5, "inflow")
    ledger.transfer(np.array([rich, poor]), soil, np.array([0.25, 0.5]), "ticket")
    assert ledger.flows == {"inflow": 1.0, "ticket": 0.75}


def test_the_dead_leave_everything_to_their_heir() -> None:
    ledger, _, soil, rich, poor = world()
    assert ledger.close(rich, soil) == 5.0
    assert ledger.balance(soil) == 5
    assert ledger.flows["death"] == 5
    assert ledger.open("organelle") > poor  # the id of the dead is not given away
    for use in (
        lambda: ledger.balance(rich),
        lambda: ledger.transfer(rich, soil, 0.0, "ghost"),
        lambda: ledger.transfer(soil, rich, 1.0, "ghost"),
        lambda: ledger.close(rich, soil),
    ):
        with pytest.raises(LedgerError, match="closed"):
            use()


def test_the_sun_gives_without_limit_and_never_closes() -> None:
    ledger, sun, soil, _, _ = world()
    ledger.transfer(np.full(1000, sun), soil, 1e6, "inflow")
    assert ledger.balance(sun) == -1e9 - 6
    with pytest.raises(LedgerError, match="sun cannot be closed"):
        ledger.close(sun, soil)


@pytest.mark.parametrize("amount", [-1.0, -1e-9, float("nan"), float("inf"), 1e300, 1e10])
def test_an_impossible_amount_is_refused(amount: float) -> None:
    ledger, sun, soil, _, _ = world()
    before = ledger.state_dict()
    for bad in (amount, np.array([1.0, amount])):
        with pytest.raises(LedgerError):
            ledger.transfer(sun, soil, bad, "inflow")
    assert ledger.state_dict() == before


@pytest.mark.parametrize(
    ("source", "target", "amount"),
    [
        (99, 1, 1.0),
        (-1, 1, 1.0),
        (0, 0, 1.0),
        (0, 2.0, 1.0),
        (0, [1, 2], [1.0, 2.0, 3.0]),
        (0, [1, 2], [1.0]),
        (0, [[1, 2]], 1.0),
        ([0, 0], [1, 0], 0.0),
    ],
)
def test_a_transfer_that_makes_no_sense_is_refused(source: Any, target: Any, amount: Any) -> None:
    ledger, *_ = world()
    before = ledger.state_dict()
    with pytest.raises(LedgerError):
        ledger.transfer(np.asarray(source), np.asarray(target), np.asarray(amount), "mistake")
    assert ledger.state_dict() == before


def test_every_transfer_needs_a_reason_and_every_account_a_known_kind() -> None:
    ledger, sun, soil, _, _ = world()
    with pytest.raises(LedgerError, match="reason"):
        ledger.transfer(sun, soil, 1.0, "")
    with pytest.raises(LedgerError, match="unknown kind"):
        ledger.open("moon")


def test_a_loaded_ledger_goes_on_where_the_saved_one_stood() -> None:
    ledger, sun, soil, rich, poor = world()
    ledger.close(poor, soil)
    for _ in range(100):
        ledger.open("organelle")
    restored = Ledger()
    restored.load_state_dict(json.loads(json.dumps(ledger.state_dict())))
    for twin in (ledger, restored):
        child = twin.open("organelle", "child")
        twin.transfer(rich, child, 2.0, "birth")
        twin.transfer(sun, np.array([rich, child]), 1.0, "inflow")
    assert restored.state_dict() == ledger.state_dict()


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.pop("accounts"),
        lambda state: state.update(opened=True),
        lambda state: state.update(opened=2),
        lambda state: state["accounts"].reverse(),
        lambda state: state["accounts"][2].pop("quanta"),
        lambda state: state["accounts"][2].update(quanta=5.5),
        lambda state: state["accounts"][2].update(quanta=state["accounts"][2]["quanta"] + 1),
        lambda state: state["accounts"][2].update(kind="moon"),
        lambda state: state["accounts"][2].update(id=3),
        lambda state: state["accounts"].append("account"),
        lambda state: (state["accounts"][1].update(quanta=-1), state["accounts"][2].update(quanta=5_000_001)),
        lambda state: state["flows"].update(ticket=-1),
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(damage: Any) -> None:
    ledger, *_ = world()
    before = ledger.state_dict()
    damaged = json.loads(json.dumps(before))
    damage(damaged)
    with pytest.raises(LedgerError):
        ledger.load_state_dict(damaged)
    assert ledger.state_dict() == before
