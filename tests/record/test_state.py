"""A world put back from its state goes on as if it had never stopped, bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from repetitions import repeated
from world_fixtures import NOBODY_CAN_PAY, eager_world, gates, live, lively_world, tiny_world

from evolora_mesa.errors import RunError
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.state import restore, state_of
from evolora_mesa.record.tree import join, pack_tensors, split, unpack_tensors

# Trials that stay open for generations, elites as parents, and deaths, all within forty generations.
CROWDED = {
    "archive.parents": 0.8,
    "economy.ticket": 1.8,
    "economy.grace": 0,
    "gate.window": 90,
    "gate.window_low": 8,
    "diversity.plateau_window": 8,
}


def crowded_world(host: HostService, **settings: object) -> EcologyModel:
    return eager_world(host, rng=3, **{**CROWDED, **settings})


def leaves(node: Any, path: str = "") -> dict[str, Any]:
    """Every value of a tree by its path, but for seconds."""
    if isinstance(node, Mapping):
        inner = [(str(key), value) for key, value in node.items() if not str(key).endswith("_seconds")]
    elif isinstance(node, list | tuple):
        inner = [(str(place), value) for place, value in enumerate(node)]
    else:
        return {path: node}
    return {key: value for name, below in inner for key, value in leaves(below, f"{path}/{name}").items()} | (
        {} if inner else {path: type(node).__name__ if isinstance(node, Mapping) else "sequence"}
    )


def same(one: object, other: object) -> bool:
    """Equal to the bit, and of one type."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and bits(one.numpy()) == bits(other.numpy())
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and bits(one) == bits(other)
    one, other = (value.item() if isinstance(value, np.generic) else value for value in (one, other))
    return repr(one) == repr(other)


def bits(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def differences(one: EcologyModel, other: EcologyModel) -> list[str]:
    """Paths at which the states of two worlds differ."""
    first, second = leaves(state_of(one)), leaves(state_of(other))
    return [path for path in {**first, **second} if not same(first.get(path, "absent"), second.get(path, "absent"))]


def through_bytes(tree: dict[str, Any]) -> Any:
    """The tree as it comes back from the files of a checkpoint."""
    plain, tensors = split(tree)
    text = json.dumps(plain, allow_nan=False)
    again = json.loads(text)
    return join(again, unpack_tensors(pack_tensors(tensors), again, Path("tensors")))


def copy_of(model: EcologyModel) -> EcologyModel:
    return restore(model.config, through_bytes(state_of(model)), model.host)


# ---------------------------------------------------------------- there and back


@pytest.mark.parametrize("generations", [0, 4, *repeated(1)])
def test_a_world_put_back_has_the_same_state_and_future(petri: HostService, generations: int) -> None:
    model = live(lively_world(petri), generations)
    again = copy_of(model)
    assert differences(model, again) == []
    live(model, 4)
    live(again, 4)
    assert differences(model, again) == []


def test_a_saved_state_shares_nothing_with_the_world(petri: HostService) -> None:
    model = live(lively_world(petri), 2)
    tree = state_of(model)
    before = {path: repr(value) for path, value in leaves(json.loads(json.dumps(split(tree)[0]))).items()}
    arrays = {path: tensor.clone() for path, tensor in split(tree)[1].items()}
    live(model, 3)
    assert {path: repr(value) for path, value in leaves(json.loads(json.dumps(split(tree)[0]))).items()} == before
    assert all(same(tensor, arrays[path]) for path, tensor in split(tree)[1].items())


def test_what_is_shown_and_counted_comes_back_too(petri: HostService) -> None:
    model = live(lively_world(petri), 3)
    again = copy_of(model)
    assert repr(again.snapshot.row) == repr(model.snapshot.row)
    assert again.snapshot.organelles == model.snapshot.organelles
    assert [o.unique_id for o in again.agents] == [o.unique_id for o in model.agents]
    assert again.steps == model.steps == again.tick
    frames = [world.datacollector.get_model_vars_dataframe() for world in (model, again)]
    assert frames[0].equals(frames[1]) and list(frames[0].dtypes) == list(frames[1].dtypes)
    assert repr(gates(again)) == repr(gates(model))
    for cell in again.grid:
        assert {o.unique_id for o in cell.agents} == {o.unique_id for o in model.grid[cell.coordinate].agents}


@pytest.mark.parametrize("rule", ["reinforce", "hebbian", "evolution_strategy", "none"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_every_rule_goes_on_where_it_was(petri: HostService, rule: str, optimizer: str) -> None:
    settings = {"plasticity.rule": rule, "plasticity.pairs": 2, "plasticity.optimizer": optimizer}
    model = live(lively_world(petri, **settings), 3)
    again = copy_of(model)
    live(model, 3)
    live(again, 3)
    assert differences(model, again) == []


def test_the_extinct_stay_extinct(petri: HostService) -> None:
    model = live(tiny_world(petri, **NOBODY_CAN_PAY), 1)
    again = copy_of(model)
    assert not again.running and not len(again.agents)
    assert differences(model, again) == []
    live(model, 1)
    live(again, 1)
    assert differences(model, again) == []


# ---------------------------------------------------------------- cut anywhere


class Story:
    """Forty generations of the eager world without a break: its trees, and what was the case in each generation."""

    def __init__(self, host: HostService) -> None:
        self.model = crowded_world(host)
        self.trees: list[Any] = []
        self.facts: list[set[str]] = []
        self._note()
        for _ in range(40):
            self.model.step()
            self._note()

    def _note(self) -> None:
        model, alive = self.model, [organelle.slot for organelle in self.model.organelles()]
        facts = {
            "open trials": bool(model.gatehouse.trials),
            "borrowed slots": bool(model.gatehouse.state_dict()["borrowed"]),
            "a pair that was tried": bool(model.gatehouse.state_dict()["tried"]),
            "confined": not model.beliefs.allowed[alive].all(),
            "stalled": model.relief.stalled,
            "a tuned window": model.tuner.window != model.config.gate.window,
            "a tuned floor": model.tuner.floor != model.config.reproduction.floor,
            "elites": model.archive is not None and model.archive.coverage > 0,
            "best weights": bool(model.learner.state_dict()["health"]["has_good"].any()),
        }
        self.facts.append({name for name, so in facts.items() if so})
        self.trees.append(through_bytes(state_of(model)))

    def put_back(self, generation: int) -> EcologyModel:
        return restore(self.model.config, self.trees[generation], self.model.host)

    def cut(self, *wanted: str) -> int:
        """The first generation in which all this is the case."""
        return next(place for place, facts in enumerate(self.facts) if facts >= set(wanted))

    def differences(self, model: EcologyModel) -> list[str]:
        """From the generation that ``model`` has reached."""
        one, other = leaves(self.trees[model.tick]), leaves(state_of(model))
        return [path for path in {**one, **other} if not same(one.get(path, "absent"), other.get(path, "absent"))]


@pytest.fixture(scope="module")
def story(petri: HostService) -> Story:
    return Story(petri)


CUTS = (
    ("elites",),
    ("open trials", "borrowed slots"),
    ("stalled", "open trials", "a pair that was tried"),
    ("best weights", "borrowed slots"),
    ("a tuned window", "open trials"),
    ("a tuned floor", "borrowed slots"),
    ("confined", "open trials"),
)


@pytest.mark.parametrize("wanted", CUTS, ids=" and ".join)
def test_a_run_cut_there_is_the_unbroken_run(story: Story, wanted: tuple[str, ...]) -> None:
    cut = story.cut(*wanted)
    again = story.put_back(cut)
    assert story.differences(again) == []
    live(again, min(5, 40 - cut))
    assert story.differences(again) == []


@pytest.mark.slow
def test_a_run_cut_after_every_generation_is_the_unbroken_run(story: Story) -> None:
    model = story.put_back(5)
    for _ in range(20):
        model = live(copy_of(model), 1)
    assert story.differences(model) == []


# ---------------------------------------------------------------- what does not fit


def test_a_state_of_another_world_is_refused(petri: HostService) -> None:
    tree = state_of(live(tiny_world(petri), 1))
    for settings in ({"adapter.max_rank": 4}, {"tasks.depths": 3}, {"archive.enabled": False}):
        config = tiny_world(petri, **settings).config
        with pytest.raises(RunError, match=r"saved state|state of"):
            restore(config, tree, petri)


@pytest.mark.parametrize("part", ["bank", "beliefs", "gatehouse", "learner", "clock", "organelles", "figures"])
def test_a_tree_that_lacks_a_part_or_has_nonsense_in_it_is_refused(petri: HostService, part: str) -> None:
    tree = state_of(tiny_world(petri))
    for broken in ({key: value for key, value in tree.items() if key != part}, {**tree, part: {"x": 1}}):
        with pytest.raises(RunError, match="saved state"):
            restore(tiny_world(petri).config, broken, petri)


def test_a_state_of_an_older_version_names_what_it_lacks(petri: HostService) -> None:
    model = tiny_world(petri)
    tree = {key: value for key, value in state_of(model).items() if key not in ("beliefs", "relief")}
    with pytest.raises(RunError, match=r"these parts: got 'beliefs, relief'\. Continue the run with the version"):
        restore(model.config, tree, petri)


def test_numbers_that_must_be_finite_are(petri: HostService) -> None:
    model = live(tiny_world(petri), 1)
    for part, name in (("history", "wins"), ("beliefs", "bias"), ("traits", "budget"), ("cells", "payout")):
        tree = state_of(model)
        tree[part][name].flat[0] = np.nan
        with pytest.raises(RunError, match="NaN or infinity"):
            restore(model.config, tree, petri)


def test_organelles_that_the_book_of_births_does_not_know_are_refused(petri: HostService) -> None:
    model = tiny_world(petri)
    tree = state_of(model)
    tree["organelles"]["alive"].pop()
    with pytest.raises(RunError, match="book of births"):
        restore(model.config, tree, petri)


# ---------------------------------------------------------------- trees


def test_a_tree_goes_through_files_and_back_exactly() -> None:
    tree = {
        "numbers": [0, 2**63 + 5, -1, 0.1, 1e-320, float("inf"), float("-inf"), -0.0, True, None, "ü"],
        "empty": {"list": [], "dict": {}, "array": np.zeros((0, 3)), "tensor": torch.zeros(0, dtype=torch.long)},
        "arrays": [np.arange(6).reshape(2, 3).T, np.array([True, False]), torch.tensor(1.5), torch.ones(2, 2).half()],
        "nan": float("nan"),
    }
    again = through_bytes(tree)
    first, second = leaves(tree), leaves(again)
    assert list(first) == list(second)
    assert all(same(value, second[path]) for path, value in first.items())


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a/b": 1}, {"$array": "x"}, {3, 4}])
def test_what_has_no_place_in_a_file_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        split({"here": value})


def test_tensors_are_those_of_the_notes_and_no_others() -> None:
    plain, tensors = split({"a": np.zeros(3), "b": torch.ones(2)})
    data = pack_tensors(tensors)
    where = Path("tensors")
    assert set(unpack_tensors(data, plain, where)) == {"a", "b"}
    others = (
        pack_tensors({"a": tensors["a"]}),
        pack_tensors({**tensors, "c": torch.ones(1)}),
        pack_tensors({**tensors, "a": torch.zeros(4, dtype=torch.float64)}),
        pack_tensors({**tensors, "a": torch.zeros(3)}),
        data[:-1],
        data[:7],
        b"",
        b"\xff" * 64,
    )
    for other in others:
        with pytest.raises(RunError):
            unpack_tensors(other, plain, where)
